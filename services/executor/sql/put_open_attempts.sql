-- Attempts that have begun.
insert into view.open_attempt (run, plan)
select * from unnest($1::text[], $2::text[])
on conflict (run) do nothing
