-- The first facts of these streams: a run and a delivery name their plan there.
select position, stream, version, type, at, recorded_at, actor, channel, command_key, ordinal, cause, trace, payload, leaf
from log.event
where stream = any($1::text[]) and version = 1
