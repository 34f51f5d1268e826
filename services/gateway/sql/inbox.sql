-- The plans that ask one of $1 for something, what is over first first. $2 and $3 are where the page before ended.
select id, idx, asked_until
from view.plan
where asked && $1::text[]
  and ($2::bigint is null or (asked_until, idx) > ($2, $3::bigint))
order by asked_until, idx
limit $4
