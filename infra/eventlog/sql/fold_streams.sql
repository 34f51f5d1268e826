-- What folds need of many streams in one query; see read_streams.sql.
select e.position, e.version, e.type, e.at, e.actor, e.channel, e.payload, wanted.number
from unnest($1::text[], $2::integer[], $3::bigint[]) with ordinality as wanted (stream, after_version, most, number)
cross join lateral (
    select position, version, type, at, actor, channel, payload
    from log.event
    where stream = wanted.stream and version > wanted.after_version
    order by version
    limit wanted.most
) as e
order by wanted.number, e.version
