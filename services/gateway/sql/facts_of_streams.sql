-- The facts of some streams after $2 and up to $3, in the order of the log: for a feed that catches up with one plan.
select position, stream, version, type, at, recorded_at, actor, channel, command_key, ordinal, cause, trace, payload, leaf
from log.event
where stream = any($1::text[]) and position > $2 and position <= $3
order by position
limit $4
