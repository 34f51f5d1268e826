-- The rows of several deliveries at once. What a delivery is about never changes after its first row.
insert into view.delivery (id, plan, event, round, endpoint, raised_by, state, attempts, last_status, last_error,
                           next_at, created_at, ended_at, version, position, format)
select id, plan, event, round, endpoint, raised_by, state, attempts, last_status, last_error,
       next_at, created_at, ended_at, version, position, format
from jsonb_populate_recordset(null::view.delivery, $1::jsonb)
on conflict (id) do update set
    state = excluded.state,
    attempts = excluded.attempts,
    last_status = excluded.last_status,
    last_error = excluded.last_error,
    next_at = excluded.next_at,
    ended_at = excluded.ended_at,
    version = excluded.version,
    position = excluded.position
