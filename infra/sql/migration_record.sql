-- In the transaction of the migration itself, so that both happen or neither.
insert into public.gonogo_migration (number, name, sha256) values ($1, $2, $3)
