-- These deliveries as they stand.
select id, plan, event, round, endpoint, raised_by, state, attempts, last_status, last_error, next_at, created_at,
       ended_at, version, position, format
from view.delivery
where id = any($1::text[])
