-- A page of a plan's operation record, newest first. $2 and $3 are where the page before ended;
-- a filter that is null is not asked.
select position, ordinal, entry
from view.record
where plan = $1 and ($2::bigint is null or (position, ordinal) < ($2, $3::int))
  and ($5::text[] is null or actor = any($5))
  and ($6::text[] is null or verb = any($6))
  and ($7::text[] is null or target = any($7))
  and ($8::text[] is null or channel = any($8))
  and ($9::bigint is null or at >= $9)
  and ($10::bigint is null or at < $10)
order by position desc, ordinal desc
limit $4
