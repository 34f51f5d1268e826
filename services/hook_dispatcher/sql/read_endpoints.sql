-- All endpoints; there are few.
select id, url, secret_ref, events, enabled, version, position, name, format, project, plan, ordered,
       concurrency, rate_per_minute, signing, public_key, verify, verified, challenge, previous_ref,
       previous_until, reason
from view.endpoint
order by id
