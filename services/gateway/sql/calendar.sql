-- The plans that take place between $1 and $2, what starts first first. A filter that is null is not asked.
select id, idx, project, name, status, owners, labels, touches, starts, ends, zone, updated_at, version
from view.plan
where starts is not null
  and int8range(starts, ends) && int8range($1, $2)
  and ($3::text[] is null or status = any($3))
  and ($4::text[] is null or owners && $4)
  and ($5::text[] is null or labels && $5)
  and ($6::text[] is null or project = any($6))
  and ($7::text[] is null or touches && $7)
order by starts, idx
limit $8
