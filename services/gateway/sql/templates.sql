-- A page of the templates that are offered, by name. $2 is where the page before ended.
select name, description, project, revision, parameters, items, put_by, put_at, version
from view.template
where $2::text is null or name > $2
order by name
limit $1
