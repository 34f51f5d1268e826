-- What may have something to do before $1 (Unix µs), $2 deliveries of one endpoint at most, and the position up to which
-- both projections saw the log: plans that wait at a gate, and hooks that are not at their end. Of an ordered endpoint only
-- the first hook of each plan, since the others wait for it.
with seen as (
    select coalesce(min(coalesce(c.position, 0)), 0) as position
    from unnest(array['plans', 'hooks']) as wanted (name)
    left join view.checkpoint c on c.name = wanted.name
)
select 0::bigint as order_by, '' as stream, seen.position, '' as url
from seen
union all
select 1, 'plan-' || p.id, 0, ''
from view.plan p
where p.status like 'wait\_for\_%\_external\_check'
union all
select due.raised_by, 'delivery-' || due.id, 0, e.url
from view.endpoint e
cross join lateral (
    select d.id, d.raised_by
    from view.delivery d
    where d.endpoint = e.id
      and d.state not in ('delivered', 'dead')
      and d.next_at <= $1
      and (not e.ordered or d.plan = '' or not exists (
          select 1
          from view.delivery b
          where b.endpoint = d.endpoint
            and b.plan = d.plan
            and (b.raised_by, b.id) < (d.raised_by, d.id)
            and b.state not in ('delivered', 'dead')
      ))
    order by d.next_at
    limit $2
) due
order by order_by
