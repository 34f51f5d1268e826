-- A page of a plan's operation record, oldest first. $2 and $3 are where the page before ended.
select position, ordinal, entry
from view.record
where plan = $1 and ($2::bigint is null or (position, ordinal) > ($2, $3::int))
order by position, ordinal
limit $4
