-- Runs that have passed.
update view.attempt_time as t
set ended_at = e.ended_at
from unnest($1::text[], $2::bigint[]) as e (run, ended_at)
where t.run = e.run
