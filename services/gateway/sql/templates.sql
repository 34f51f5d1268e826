-- All templates that are offered, by name.
select name, description, project, revision, parameters, items, put_by, put_at, version
from view.template
order by name
limit $1
