-- The median of the newest whole successful runs of each of these workflows, and of how many it is.
select w.project, w.workflow, count(t.run) as runs,
    percentile_disc(0.5) within group (order by t.ended_at - t.started_at) as median
from unnest($1::text[], $2::text[]) as w (project, workflow)
cross join lateral (
    select run, started_at, ended_at
    from view.attempt_time
    where project = w.project and workflow = w.workflow and ended_at is not null
    order by ended_at desc
    limit 50
) as t
group by w.project, w.workflow
