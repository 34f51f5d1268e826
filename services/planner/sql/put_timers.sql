-- The timers of the plans $1, exactly these: others of theirs go. One statement, because it runs at every change of a plan.
with wanted as (
    select * from unnest($2::text[], $3::text[], $4::bigint[], $5::text[]) as timer (stream, kind, due_at, service)
), gone as (
    delete from view.timer t
    where t.stream = any($1::text[])
      and not exists (select 1 from wanted w where w.stream = t.stream and w.kind = t.kind)
)
insert into view.timer (stream, kind, due_at, service)
select stream, kind, due_at, service from wanted
on conflict (stream, kind) do update set due_at = excluded.due_at, service = excluded.service
