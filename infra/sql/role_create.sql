-- Roles belong to the whole server, so another database's migration may have made them already.
select format('create role %I nologin', wanted.name) as statement
from unnest($1::text[]) as wanted (name)
where not exists (select from pg_catalog.pg_roles r where r.rolname = wanted.name)
