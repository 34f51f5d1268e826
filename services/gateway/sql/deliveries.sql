-- The facts of all deliveries of a plan, in the order of the log.
select e.position, e.stream, e.version, e.type, e.at, e.recorded_at, e.actor, e.channel, e.command_key, e.ordinal,
       e.cause, e.trace, e.payload, e.leaf
from view.record_stream as r
join log.event as e on e.stream = r.stream
where r.plan = $1 and r.stream like 'delivery-%'
order by e.position
