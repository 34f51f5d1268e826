-- Runs that have begun from their first step.
insert into view.attempt_time (run, project, workflow, started_at)
select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
on conflict (run) do nothing
