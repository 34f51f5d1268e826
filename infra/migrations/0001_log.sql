-- The log: one append-only sequence of events with gap-free positions, written by one function only.
--
-- Runs as gonogo_owner, who cannot log in. Service roles may select and execute log.append; nobody may change a stored
-- event. The triggers below are a guard against mistakes: an owner could remove them, so what proves the log is the
-- audit tree. log.append is the only writer; every rule that a reader relies on is kept there and checked by
-- infra/eventlog/verify.py.

create schema log;

-- The end of the log. One row, rewritten by every append: room for its versions on one page keeps the update cheap.
create table log.head (
    only_one boolean primary key default true check (only_one),
    position bigint not null check (position >= 0),
    recorded_at bigint not null,
    epoch text not null
) with (fillfactor = 20);

insert into log.head (position, recorded_at, epoch) values (0, 0, replace(gen_random_uuid()::text, '-', ''));

-- The events. `position` comes from log.head under the log's lock, never from a sequence: a hole is corruption.
-- `payload` is the exact bytes that were hashed; `leaf` is what contracts/envelope.py computes.
create table log.event (
    position bigint primary key,
    stream text not null,
    version integer not null,
    type text not null,
    at bigint not null,
    recorded_at bigint not null,
    actor text not null,
    channel text not null,
    command_key text not null,
    ordinal integer not null,
    cause bigint,
    trace text not null,
    payload bytea not null,
    leaf bytea not null,
    constraint event_once_per_version unique (stream, version)
) with (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);

-- Payloads are small by rule (64 kB) and read whole: keep them in the row uncompressed while they fit.
alter table log.event alter column payload set storage external;

-- The version of every stream: the expected-version check is one indexed row, and the update stays on its page.
create table log.stream (
    stream text primary key,
    version integer not null
) with (fillfactor = 80);

-- Every command ever stored, by its principal and key, with the first outcome. Its events are the `events` positions
-- that end at `last`; a command that changed nothing has none.
create table log.command (
    principal text not null,
    key text not null,
    fingerprint bytea not null,
    stream text not null,
    version integer not null,
    last bigint not null,
    events integer not null,
    answer bytea not null,
    primary key (principal, key)
);

-- Which role may append which event type. Filled by the migration runner from contracts.registry.
create table log.type_owner (
    type text not null,
    role text not null,
    primary key (type, role)
);

create function log.refuse_change() returns trigger
language plpgsql as $$
begin
    raise exception 'the log is append-only: % on %.% is refused', tg_op, tg_table_schema, tg_table_name
        using errcode = 'GN003';
end
$$;

create trigger event_is_final before update or delete on log.event
    for each row execute function log.refuse_change();
create trigger event_is_never_emptied before truncate on log.event
    for each statement execute function log.refuse_change();
create trigger command_is_final before update or delete on log.command
    for each row execute function log.refuse_change();
create trigger command_is_never_emptied before truncate on log.command
    for each statement execute function log.refuse_change();

-- Appends a batch of commands, each wholly or not at all, and answers one status per command:
-- 0 appended, 1 seen, 2 conflict, 3 key reused (infra/eventlog/batch.py reads them).
--
-- One array element per command; p_counts says how many of the flat p_types/p_payloads belong to each. A loop over
-- scalars on purpose: set-based forms collapse once the tables have statistics, subscripted arrays are copied into
-- every plan. The advisory lock comes first, because waiting on the head row alone queues badly; plpgsql, because one
-- SQL statement would keep the snapshot from before the lock. Plans are forced to the generic index form. The rules are
-- checked here and the leaf computed before the insert, because check constraints and long expressions inside a
-- statement are parsed anew at each execution (a fifth of the time).
create function log.append(
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
as $$
declare
    v_stream text; v_expected integer; v_principal text; v_key text; v_fingerprint bytea; v_at bigint;
    v_actor text; v_channel text; v_cause bigint; v_trace text; v_answer bytea; v_count integer;
    v_head bigint; v_before bigint; v_now bigint; v_version integer; v_last bigint;
    v_first_fingerprint bytea; v_first_answer bytea; v_foreign text;
    v_type text; v_payload bytea; v_leaf bytea; v_next integer := 0; v_taken boolean;
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
            v_leaf := sha256('\x00'::bytea || convert_to(v_head || E'\n' || v_stream || E'\n' || v_version || E'\n'
                || v_type || E'\n' || v_at || E'\n' || v_now || E'\n' || v_actor || E'\n' || v_channel || E'\n'
                || v_key || E'\n' || v_ordinal || E'\n' || coalesce(v_cause::text, '') || E'\n', 'UTF8')
                || v_payload);
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

revoke all on function log.append from public;
grant usage on schema log
    to gonogo_planner, gonogo_approval, gonogo_executor, gonogo_hook_dispatcher, gonogo_audit, gonogo_gateway, gonogo_relay;
grant select on log.head, log.event, log.stream, log.command, log.type_owner
    to gonogo_planner, gonogo_approval, gonogo_executor, gonogo_hook_dispatcher, gonogo_audit, gonogo_gateway, gonogo_relay;
grant execute on function log.append
    to gonogo_planner, gonogo_approval, gonogo_executor, gonogo_hook_dispatcher, gonogo_audit, gonogo_gateway, gonogo_relay;
