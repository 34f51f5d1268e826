-- A user is made or changed as a whole; when they were made stays.
insert into identity.users (id, name, administrator, active, created_at)
values ($1, $2, $3, $4, $5)
on conflict (id) do update
set name = excluded.name, administrator = excluded.administrator, active = excluded.active
