-- Complete and final at any moment, because positions are drawn under the log's lock: no horizon, no waiting.
select position, stream, version, type, at, recorded_at, actor, channel, command_key, ordinal, cause, trace, payload, leaf
from log.event
where position > $1
order by position
limit $2
