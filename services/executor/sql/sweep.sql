-- Every stream in which the executor may have something to do: plans that wait for a start, a gate or their items, of those
-- that moved after this position; and attempts without an end, whatever became of their plan.
select 'plan-' || id as stream
from view.plan
where status not in ('planning', 'denied', 'success', 'cancel', 'timeout')
  and position > $1
union
select 'plan-' || plan from view.open_attempt
union
select 'run-' || run from view.open_attempt
