-- The rows of several endpoints at once. Through jsonb, because unnest cannot carry the arrays inside the rows.
insert into view.endpoint (id, url, secret_ref, events, enabled, version, position)
select id, url, secret_ref, events, enabled, version, position
from jsonb_populate_recordset(null::view.endpoint, $1::jsonb)
on conflict (id) do update set
    url = excluded.url,
    secret_ref = excluded.secret_ref,
    events = excluded.events,
    enabled = excluded.enabled,
    version = excluded.version,
    position = excluded.position
