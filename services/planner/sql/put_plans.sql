-- The rows of several plans at once. Through jsonb, because unnest cannot carry the arrays inside the rows.
insert into view.plan (id, idx, project, name, status, owners, labels, window_start, window_end, item_owners,
                       waiting_for, created_at, updated_at, updated_by, version, position, search,
                       starts, ends, zone, touches, asked, asked_until, review_owed)
select id, idx, project, name, status, owners, labels, window_start, window_end, item_owners,
       waiting_for, created_at, updated_at, updated_by, version, position, search,
       starts, ends, zone, touches, asked, asked_until, review_owed
from jsonb_populate_recordset(null::view.plan, $1::jsonb)
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
