-- The open delivery after $4 (raised at $3) among those of one plan to one endpoint, which may go now.
select id
from view.delivery
where endpoint = $1 and plan = $2 and (raised_by, id) > ($3, $4) and state not in ('delivered', 'dead')
order by raised_by, id
limit 1
