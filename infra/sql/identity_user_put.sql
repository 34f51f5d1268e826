-- A user is made or changed as a whole; when they were made stays, and so does an address that is not given.
insert into identity.users (id, name, administrator, active, created_at, email)
values ($1, $2, $3, $4, $5, coalesce($6, ''))
on conflict (id) do update
set name = excluded.name, administrator = excluded.administrator, active = excluded.active,
    email = coalesce($6, identity.users.email)
returning email
