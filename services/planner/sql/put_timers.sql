-- The timers of several plans at once.
insert into view.timer (stream, kind, due_at, service)
select * from unnest($1::text[], $2::text[], $3::bigint[], $4::text[])
