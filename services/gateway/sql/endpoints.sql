-- The newest fact of every endpoint. There are few, and the rows of log.stream are small.
select e.position, e.stream, e.version, e.type, e.at, e.recorded_at, e.actor, e.channel, e.command_key, e.ordinal,
       e.cause, e.trace, e.payload, e.leaf
from log.stream as s
join log.event as e on e.stream = s.stream and e.version = s.version
where s.stream like 'endpoint-%'
order by e.stream
