-- How long whole and successful runs of workflows took: what a plan's expected end is computed from.
-- Folded by the executor; can be dropped and rebuilt. Times in Unix microseconds; ended_at is null while it runs.
--
-- Runs as gonogo_owner.

create table view.attempt_time (
    run text primary key,
    project text not null,
    workflow text not null,
    started_at bigint not null,
    ended_at bigint
);

create index attempt_time_of_workflow on view.attempt_time (project, workflow, ended_at desc) where ended_at is not null;
