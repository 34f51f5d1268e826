-- Everything that may have something to do before $1 (Unix µs), and the position up to which both projections saw the
-- log: plans that wait at a gate, and hooks that are not at their end.
with seen as (
    select coalesce(min(coalesce(c.position, 0)), 0) as position
    from unnest(array['plans', 'hooks']) as wanted (name)
    left join view.checkpoint c on c.name = wanted.name
)
select 0::bigint as order_by, '' as stream, seen.position
from seen
union all
select 1, 'plan-' || p.id, 0
from view.plan p
where p.status like 'wait\_for\_%\_external\_check'
union all
select d.raised_by, 'delivery-' || d.id, 0
from view.delivery d
where d.state not in ('delivered', 'dead')
  and d.next_at <= $1
order by order_by
