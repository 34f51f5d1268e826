-- The rows of several plans ($4) and exactly the timers ($6 to $9) of their streams ($5), with the checkpoint of `checkpoint_move.sql`.
-- One statement, because it runs at every change of a plan. Rows come as jsonb, since unnest cannot carry the arrays in them.
with moved as (
    update view.checkpoint
    set position = $3
    where name = $1
      and position = $2
      and set_config('synchronous_commit', 'off', true) = 'off'
    returning true as here
), wanted as (
    select timer.*
    from unnest($6::text[], $7::text[], $8::bigint[], $9::text[]) as timer (stream, kind, due_at, service), moved
), gone as (
    delete from view.timer t
    using moved
    where t.stream = any($5::text[])
      and not exists (select 1 from wanted w where w.stream = t.stream and w.kind = t.kind)
), timed as (
    insert into view.timer (stream, kind, due_at, service)
    select stream, kind, due_at, service from wanted
    on conflict (stream, kind) do update set due_at = excluded.due_at, service = excluded.service
), listed as (
    insert into view.plan (
        id, idx, project, name, status, owners, labels, window_start, window_end, item_owners,
        waiting_for, created_at, updated_at, updated_by, version, position, search,
        starts, ends, zone, touches, asked, asked_until, review_owed
    )
    select
        id, idx, project, name, status, owners, labels, window_start, window_end, item_owners,
        waiting_for, created_at, updated_at, updated_by, version, position, search,
        starts, ends, zone, touches, asked, asked_until, review_owed
    from jsonb_populate_recordset(null::view.plan, $4::jsonb), moved
    on conflict (id) do update set
        idx = excluded.idx,
        project = excluded.project,
        name = excluded.name,
        status = excluded.status,
        owners = excluded.owners,
        labels = excluded.labels,
        window_start = excluded.window_start,
        window_end = excluded.window_end,
        item_owners = excluded.item_owners,
        waiting_for = excluded.waiting_for,
        created_at = excluded.created_at,
        updated_at = excluded.updated_at,
        updated_by = excluded.updated_by,
        version = excluded.version,
        position = excluded.position,
        search = excluded.search,
        starts = excluded.starts,
        ends = excluded.ends,
        zone = excluded.zone,
        touches = excluded.touches,
        asked = excluded.asked,
        asked_until = excluded.asked_until,
        review_owed = excluded.review_owed
)
select count(*) from moved
