-- The plans that have not ended and touch something between $1 and $2: what conflicts are looked for in.
select id, starts, ends, touches
from view.plan
where ends > $1
  and starts < $2
  and touches <> '{}'
  and status not in ('success', 'cancel', 'timeout')
order by starts, idx
limit $3
