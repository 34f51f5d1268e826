-- Appends whole batches as sets where nothing is in the way: three inserts and an update for all commands of a call, half
-- the processor time of the loop of 0001_log.sql. Who calls sees no difference: same arguments, same answer.
--
-- Nothing is in the way if every command brings events, every key is new and every stream is where its decider saw it.
-- That is not asked beforehand: the tables' own unique keys and the number of moved streams tell, and then the attempt
-- is undone (a subtransaction) and the loop of 0001 looks at each command by itself. Set-based statements collapse once
-- the planner takes a table for small, so the only join is forced to probe the index.

-- The leaf hash of contracts/envelope.py. No `set` clause, so that it is inlined.
create function log.leaf(
    p_position bigint, p_stream text, p_version integer, p_type text, p_at bigint, p_recorded_at bigint, p_actor text,
    p_channel text, p_key text, p_ordinal integer, p_cause bigint, p_payload bytea
)
returns bytea
language sql stable
return sha256('\x00'::bytea || convert_to(p_position || E'\n' || p_stream || E'\n' || p_version || E'\n' || p_type || E'\n'
    || p_at || E'\n' || p_recorded_at || E'\n' || p_actor || E'\n' || p_channel || E'\n' || p_key || E'\n' || p_ordinal
    || E'\n' || coalesce(p_cause::text, '') || E'\n', 'UTF8') || p_payload);

revoke all on function log.leaf from public;

create or replace function log.append(
    p_streams text[], p_expected integer[], p_principals text[], p_keys text[], p_fingerprints bytea[], p_ats bigint[],
    p_actors text[], p_channels text[], p_causes bigint[], p_traces text[], p_answers bytea[], p_counts integer[],
    p_types text[], p_payloads bytea[],
    out statuses integer[], out versions integer[], out lasts bigint[], out answers bytea[]
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    v_stream text; v_expected integer; v_principal text; v_key text; v_fingerprint bytea; v_at bigint;
    v_actor text; v_channel text; v_cause bigint; v_trace text; v_answer bytea; v_count integer;
    v_head bigint; v_before bigint; v_now bigint; v_version integer; v_last bigint;
    v_first_fingerprint bytea; v_first_answer bytea; v_foreign text;
    v_type text; v_payload bytea; v_leaf bytea; v_next integer := 0; v_taken boolean;
    v_commands constant integer := cardinality(p_streams); v_few constant integer := 4; v_plain boolean; v_known integer := 0;
    v_of integer[]; v_ordinals integer[];
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'log.append needs read committed: an older snapshot would fold a stale head'
            using errcode = 'GN002';
    end if;
    -- session_user, not current_user: that is the owner here. Superusers and the owner may append anything (rebuild).
    select t.type into v_foreign from unnest(p_types) as t (type)
        where not exists (select from log.type_owner o where o.type = t.type and o.role = session_user) limit 1;
    if v_foreign is not null and session_user <> 'gonogo_owner'
        and not exists (select from pg_roles r where r.rolname = session_user and r.rolsuper) then
        raise exception 'role % does not own event type %', session_user, v_foreign using errcode = 'GN001';
    end if;

    -- The leaf hash joins the fields by line feeds: one inside a field would let two events share an envelope.
    if strpos(array_to_string(p_streams || p_actors || p_channels || p_keys || p_types, ''), E'\n') > 0 then
        raise exception 'a line feed in a field makes its leaf hash ambiguous' using errcode = 'GN004';
    end if;

    perform pg_advisory_xact_lock(7165066907190);
    select h.position, greatest(h.recorded_at, (extract(epoch from clock_timestamp()) * 1000000)::bigint)
        into strict v_head, v_now from log.head h where h.only_one for update;
    v_before := v_head;

    -- As sets. v_of and v_ordinals say to which command each event belongs, and as which of its events.
    v_plain := v_commands > v_few and cardinality(p_types) = cardinality(p_payloads);
    if v_plain then
        v_last := v_head;
        for v_command in 1 .. v_commands loop
            v_count := p_counts[v_command];
            v_plain := v_plain and v_count > 0 and (p_expected[v_command] > 0 or p_streams[v_command] ~ '^[a-z_]+-[0-9a-f]+$');
            for v_ordinal in 0 .. v_count - 1 loop
                v_of := v_of || v_command;
                v_ordinals := v_ordinals || v_ordinal;
            end loop;
            v_last := v_last + v_count;
            v_known := v_known + (p_expected[v_command] > 0)::integer;
            versions := versions || p_expected[v_command] + v_count;
            lasts := lasts || v_last;
        end loop;
        v_plain := v_plain and cardinality(v_of) = cardinality(p_types);
    end if;
    if v_plain then
        begin
            -- The update comes first: a stream that is begun and continued in one call is for the loop, which keeps the order.
            update log.stream s set version = t.expected + t.count
            from unnest(p_streams, p_expected, p_counts) as t (stream, expected, count)
            where s.stream = t.stream and s.version = t.expected and t.expected > 0;
            get diagnostics v_next = row_count;
            if v_next <> v_known then
                raise exception 'a stream has moved' using errcode = 'GN005';
            end if;
            insert into log.stream (stream, version)
            select t.stream, t.count from unnest(p_streams, p_expected, p_counts) as t (stream, expected, count)
            where t.expected = 0;
            insert into log.command (principal, key, fingerprint, stream, version, last, events, answer)
            select * from unnest(p_principals, p_keys, p_fingerprints, p_streams, versions, lasts, p_counts, p_answers);
            insert into log.event (position, stream, version, type, at, recorded_at, actor, channel, command_key,
                ordinal, cause, trace, payload, leaf)
            select v_head + e.n, p_streams[e.c], p_expected[e.c] + e.ordinal + 1, e.type, p_ats[e.c], v_now, p_actors[e.c],
                p_channels[e.c], p_keys[e.c], e.ordinal, p_causes[e.c], p_traces[e.c], e.payload,
                log.leaf(v_head + e.n, p_streams[e.c], p_expected[e.c] + e.ordinal + 1, e.type, p_ats[e.c], v_now,
                    p_actors[e.c], p_channels[e.c], p_keys[e.c], e.ordinal, p_causes[e.c], e.payload)
            from unnest(v_of, v_ordinals, p_types, p_payloads) with ordinality as e (c, ordinal, type, payload, n);
            statuses := array_fill(0, array[v_commands]);
            answers := array_fill(null::bytea, array[v_commands]);
            update log.head set position = v_last, recorded_at = v_now where only_one;
            perform pg_notify('gonogo_log', v_last::text);
            return;
        exception when unique_violation or sqlstate 'GN005' then
            null; -- the loop tells which command it was
        end;
    end if;
    versions := null;
    lasts := null;
    v_next := 0;

    -- One by one.
    for v_stream, v_expected, v_principal, v_key, v_fingerprint, v_at, v_actor, v_channel, v_cause, v_trace, v_answer,
        v_count in
        select * from unnest(p_streams, p_expected, p_principals, p_keys, p_fingerprints, p_ats, p_actors, p_channels,
            p_causes, p_traces, p_answers, p_counts)
    loop
        select c.fingerprint, c.version, c.last, c.answer into v_first_fingerprint, v_version, v_last, v_first_answer
            from log.command c where c.principal = v_principal and c.key = v_key;
        if found then
            statuses := statuses || case when v_first_fingerprint = v_fingerprint then 1 else 3 end;
            versions := versions || v_version;
            lasts := lasts || v_last;
            answers := answers || v_first_answer;
            v_next := v_next + v_count;
            continue;
        end if;

        -- Takes the new version if the stream is where the decider saw it.
        if v_count = 0 then
            perform from log.stream s where s.stream = v_stream and s.version = v_expected;
            v_taken := found or (v_expected = 0
                and not exists (select from log.stream s where s.stream = v_stream));
        elsif v_expected = 0 then
            if v_stream !~ '^[a-z_]+-[0-9a-f]+$' then
                raise exception 'stream % does not read <category>-<hex digits>', v_stream using errcode = 'GN004';
            end if;
            insert into log.stream (stream, version) values (v_stream, v_count) on conflict do nothing;
            v_taken := found;
        else
            update log.stream set version = v_expected + v_count where stream = v_stream and version = v_expected;
            v_taken := found;
        end if;
        if not v_taken then
            select s.version into v_version from log.stream s where s.stream = v_stream;
            statuses := statuses || 2;
            versions := versions || coalesce(v_version, 0);
            lasts := lasts || null::bigint;
            answers := answers || null::bytea;
            v_next := v_next + v_count;
            continue;
        end if;

        for v_ordinal in 0 .. v_count - 1 loop
            v_next := v_next + 1;
            v_head := v_head + 1;
            v_version := v_expected + v_ordinal + 1;
            v_type := p_types[v_next];
            v_payload := p_payloads[v_next];
            v_leaf := log.leaf(v_head, v_stream, v_version, v_type, v_at, v_now, v_actor, v_channel, v_key, v_ordinal,
                v_cause, v_payload);
            insert into log.event (position, stream, version, type, at, recorded_at, actor, channel, command_key,
                ordinal, cause, trace, payload, leaf)
            values (v_head, v_stream, v_version, v_type, v_at, v_now, v_actor, v_channel, v_key, v_ordinal, v_cause,
                v_trace, v_payload, v_leaf);
        end loop;
        insert into log.command (principal, key, fingerprint, stream, version, last, events, answer)
        values (v_principal, v_key, v_fingerprint, v_stream, v_expected + v_count, v_head, v_count, v_answer);
        statuses := statuses || 0;
        versions := versions || v_expected + v_count;
        lasts := lasts || v_head;
        answers := answers || null::bytea;
    end loop;

    if v_next <> cardinality(p_types) or v_next <> cardinality(p_payloads) then
        raise exception 'the counts of events do not add up to the events given' using errcode = 'GN004';
    end if;
    if v_head > v_before then
        update log.head set position = v_head, recorded_at = v_now where only_one;
        perform pg_notify('gonogo_log', v_head::text);
    end if;
end
$$;
