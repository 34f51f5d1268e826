-- The newest revisions of several templates at once.
insert into view.template (name, description, project, revision, parameters, items, put_by, put_at, version, position)
select name, description, project, revision, parameters, items, put_by, put_at, version, position
from jsonb_populate_recordset(null::view.template, $1::jsonb)
on conflict (name) do update set
    description = excluded.description,
    project = excluded.project,
    revision = excluded.revision,
    parameters = excluded.parameters,
    items = excluded.items,
    put_by = excluded.put_by,
    put_at = excluded.put_at,
    version = excluded.version,
    position = excluded.position
