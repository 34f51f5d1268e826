-- Many streams in one query. The order inside `lateral` keeps it one index scan per stream, whatever the statistics say.
select e.position, e.stream, e.version, e.type, e.at, e.recorded_at, e.actor, e.channel, e.command_key, e.ordinal,
    e.cause, e.trace, e.payload, e.leaf, wanted.number
from unnest($1::text[], $2::integer[], $3::bigint[]) with ordinality as wanted (stream, after_version, most, number)
cross join lateral (
    select position, stream, version, type, at, recorded_at, actor, channel, command_key, ordinal, cause, trace,
        payload, leaf
    from log.event
    where stream = wanted.stream and version > wanted.after_version
    order by version
    limit wanted.most
) as e
order by wanted.number, e.version
