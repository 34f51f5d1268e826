-- How far each of these projections is behind the log; one that has not begun yet is behind by all of it.
select wanted.name, head.position - coalesce(checkpoint.position, 0) as lag
from unnest($1::text[]) as wanted (name)
cross join log.head
left join view.checkpoint on checkpoint.name = wanted.name
