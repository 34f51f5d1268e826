-- What went out for one round of a gate: its hook in either form, and its opening as an event.
select d.id, d.plan, d.event, d.format, d.round, d.endpoint, coalesce(e.name, '') as endpoint_name, d.state, d.attempts,
       d.created_at, d.ended_at, d.last_status, d.last_error, d.next_at, d.version, d.raised_by
from view.delivery d
left join view.endpoint e on e.id = d.endpoint
where d.plan = $1 and d.event = any($2::text[]) and d.round = $3
order by d.raised_by, d.id
