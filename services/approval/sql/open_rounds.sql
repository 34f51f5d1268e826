-- Where letters may be due: rounds that are open or have changed since $1 (Unix µs), letters that have not ended; and the
-- position up to which the projection saw the log, first.
select 0 as order_by, '' as stream, coalesce(
    (select c.position from view.checkpoint c where c.name = 'letter_rounds'), 0) as position
union all
select 1, 'plan-' || r.plan, 0
from view.letter_round r
where r.open or r.changed_at > $1
union all
select 2, r.stream, 0
from view.letter_round r
where r.letters_open > 0
order by order_by
