-- The rows of several endpoints at once. Through jsonb, because unnest cannot carry the arrays inside the rows.
insert into view.endpoint (id, url, secret_ref, events, enabled, version, position, name, format, project, plan, ordered,
                           concurrency, rate_per_minute, signing, public_key, verify, verified, challenge, previous_ref,
                           previous_until, reason)
select id, url, secret_ref, events, enabled, version, position, name, format, project, plan, ordered,
       concurrency, rate_per_minute, signing, public_key, verify, verified, challenge, previous_ref,
       previous_until, reason
from jsonb_populate_recordset(null::view.endpoint, $1::jsonb)
on conflict (id) do update set
    url = excluded.url,
    secret_ref = excluded.secret_ref,
    events = excluded.events,
    enabled = excluded.enabled,
    version = excluded.version,
    position = excluded.position,
    name = excluded.name,
    format = excluded.format,
    project = excluded.project,
    plan = excluded.plan,
    ordered = excluded.ordered,
    concurrency = excluded.concurrency,
    rate_per_minute = excluded.rate_per_minute,
    signing = excluded.signing,
    public_key = excluded.public_key,
    verify = excluded.verify,
    verified = excluded.verified,
    challenge = excluded.challenge,
    previous_ref = excluded.previous_ref,
    previous_until = excluded.previous_until,
    reason = excluded.reason
