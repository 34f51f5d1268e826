-- Makes the ownership of event types exactly what the contracts say.
with wanted as (
    select w.type, w.role from unnest($1::text[], $2::text[]) as w (type, role)
), gone as (
    delete from log.type_owner o
    where not exists (select from wanted w where w.type = o.type and w.role = o.role)
)
insert into log.type_owner (type, role)
select w.type, w.role from wanted w
on conflict (type, role) do nothing
