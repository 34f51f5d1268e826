-- The hooks of a plan that were raised and whose stream has not begun.
select id
from view.delivery
where plan = $1
  and state = 'due'
order by raised_by, id
