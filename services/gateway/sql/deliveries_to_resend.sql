-- Deliveries that somebody wants to have tried again, the oldest first, so that an ordered endpoint gets them in order. $6
-- and $7 are where the answer before ended.
select d.id, d.raised_by
from view.delivery d
where ($1::text is null or d.endpoint = $1)
  and ($2::text is null or d.plan = $2)
  and d.state = any($3::text[])
  and ($4::bigint is null or d.created_at >= $4)
  and ($5::bigint is null or d.created_at < $5)
  and ($6::bigint is null or (d.raised_by, d.id) > ($6, $7::text))
order by d.raised_by, d.id
limit $8
