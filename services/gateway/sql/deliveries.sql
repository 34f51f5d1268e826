-- The hooks of a plan, the newest first.
select id, plan, event, format, round, endpoint, state, attempts, created_at, ended_at, last_status, last_error, next_at,
       version
from view.delivery
where plan = $1
order by position desc
