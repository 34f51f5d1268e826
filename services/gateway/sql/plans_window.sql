-- A page of plans, what starts first first, what has no time last. A filter that is null is not asked; $1 and $12 are where the page before ended.
select id, idx, project, name, status, owners, labels, window_start, window_end, zone, starts, touches, item_owners,
       waiting_for, created_at, updated_at, updated_by, version, position, review_owed
from view.plan
where ($1::bigint is null or (coalesce(starts, 9223372036854775807), idx) > ($1, $12::bigint))
  and ($3::text[] is null or status = any($3))
  and ($4::text[] is null or owners && $4)
  and ($5::text[] is null or item_owners && $5)
  and ($6::text[] is null or waiting_for && $6)
  and ($7::text[] is null or labels && $7)
  and ($8::text[] is null or project = any($8))
  and ($9::text is null or strpos(search, $9) > 0)
  and ($10::bigint is null and $11::bigint is null
       or starts is not null and int8range(starts, ends) && int8range($10, $11))
  and ($13::text[] is null or touches && $13)
  and ($14::text[] is null or asked && $14)
  and ($15::boolean is null or review_owed = $15)
order by coalesce(starts, 9223372036854775807), idx
limit $2
