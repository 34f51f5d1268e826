-- Which plan a run or a delivery belongs to, said by the first event of its stream.
insert into view.record_stream (stream, plan)
select * from unnest($1::text[], $2::text[])
on conflict (stream) do nothing
