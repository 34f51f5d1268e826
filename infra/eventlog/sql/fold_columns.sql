-- The same of a long stream, a column at a time: one row of arrays. An array's element takes a reader half the work of a row's
-- field, and where the reader is the slower one, the server has the time. Versions have no gap, so the last one tells them.
select array_agg(position), array_agg(type), array_agg(at), array_agg(actor), array_agg(channel), array_agg(payload), max(version)
from (
    select position, version, type, at, actor, channel, payload
    from log.event
    where stream = $1 and version > $2
    order by version
    limit $3
) as e
