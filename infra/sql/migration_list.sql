-- What was applied, oldest first.
select number, name, sha256 from public.gonogo_migration order by number
