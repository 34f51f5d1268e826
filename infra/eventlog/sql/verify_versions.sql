-- Events whose version does not follow the one before in their stream: the database walks each stream, so that no reader
-- has to remember them all.
select position, stream, version, before
from (
    select position, stream, version, lag(version, 1, 0) over (partition by stream order by position) as before
    from log.event
) as walked
where version <> before::bigint + 1
order by position
