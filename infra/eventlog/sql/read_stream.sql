-- A stream in order of version: all of it where no limit is given (null).
select position, stream, version, type, at, recorded_at, actor, channel, command_key, ordinal, cause, trace, payload, leaf
from log.event
where stream = $1 and version > $2
order by version
limit $3
