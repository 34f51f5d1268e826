-- A page of deliveries, the newest first, by endpoint, plan, states and time of raising. $6 and $7 are where the page
-- before ended.
select d.id, d.plan, d.event, d.format, d.round, d.endpoint, coalesce(e.name, '') as endpoint_name, d.state, d.attempts,
       d.created_at, d.ended_at, d.last_status, d.last_error, d.next_at, d.version, d.raised_by
from view.delivery d
left join view.endpoint e on e.id = d.endpoint
where ($1::text is null or d.endpoint = $1)
  and ($2::text is null or d.plan = $2)
  and ($3::text[] is null or d.state = any($3))
  and ($4::bigint is null or d.created_at >= $4)
  and ($5::bigint is null or d.created_at < $5)
  and ($6::bigint is null or (d.raised_by, d.id) < ($6, $7::text))
order by d.raised_by desc, d.id desc
limit $8
