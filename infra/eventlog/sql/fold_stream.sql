-- What a fold needs of a stream, in order of version: half the columns, three quarters of the work of reading all.
select position, version, type, at, actor, channel, payload
from log.event
where stream = $1 and version > $2
order by version
limit $3
