-- The plans that are in the way of plan $1, which touches $2 between $3 and $4.
select id, idx, project, name, status, owners, touches, starts, ends
from view.plan
where id <> $1
  and touches && $2::text[]
  and starts is not null
  and int8range(starts, ends) && int8range($3, $4)
  and status not in ('success', 'cancel', 'timeout')
order by starts, idx
limit $5
