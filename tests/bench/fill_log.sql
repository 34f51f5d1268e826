-- Fills an empty log with $1 commands of one 300-byte event each, ten to a stream, as log.append would have stored them.
with made as (
    select n as position, 'plan-' || lpad(to_hex((n - 1) / 10), 24, '0') as stream, ((n - 1) % 10 + 1)::integer as version,
        'fill-' || md5(n::text) as key, 1700000000000000 + n as at,
        convert_to('{"text":"' || repeat('x', 289) || '"}', 'UTF8') as payload
    from generate_series(1::bigint, $1::bigint) as n
), events as (
    insert into log.event (position, stream, version, type, at, recorded_at, actor, channel, command_key, ordinal, cause,
        trace, payload, leaf)
    select position, stream, version, 'plan.created.v1', at, at, 'user:fill', 'api', key, 0, null, '', payload,
        sha256('\x00'::bytea || convert_to(position || E'\n' || stream || E'\n' || version || E'\nplan.created.v1\n' || at
            || E'\n' || at || E'\nuser:fill\napi\n' || key || E'\n0\n\n', 'UTF8') || payload)
    from made
), commands as (
    insert into log.command (principal, key, fingerprint, stream, version, last, events, answer)
    select 'user:fill', key, sha256('fill'::bytea), stream, version, position, 1, ''::bytea from made
), streams as (
    insert into log.stream (stream, version) select stream, max(version) from made group by stream
)
update log.head set position = $1, recorded_at = 1700000000000000 + $1
