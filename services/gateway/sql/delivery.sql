-- One delivery as it stands.
select d.id, d.plan, d.event, d.format, d.round, d.endpoint, coalesce(e.name, '') as endpoint_name, d.state, d.attempts,
       d.created_at, d.ended_at, d.last_status, d.last_error, d.next_at, d.version, d.raised_by
from view.delivery d
left join view.endpoint e on e.id = d.endpoint
where d.id = $1
