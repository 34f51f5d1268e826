-- What happened to freezes after a position. Few, and found by an index that holds nothing else (0030).
select position, stream, version, type, at, recorded_at, actor, channel, command_key, ordinal, cause, trace, payload, leaf
from log.event
where type in ('freeze.put.v1', 'freeze.deleted.v1')
  and position > $1
order by position
