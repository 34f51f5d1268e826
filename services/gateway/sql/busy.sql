-- The plans that have not ended and touch something between $1 and $2: what conflicts are looked for in.
select id, starts, ends, touches
from view.plan
where starts is not null
  and int8range(starts, ends) && int8range($1, $2)
  and touches <> '{}'
  and status not in ('success', 'cancel', 'timeout')
order by starts, idx
limit $3
