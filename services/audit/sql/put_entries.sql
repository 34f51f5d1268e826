-- The entries of one batch of facts. Said again after a crash, they are the same rows.
insert into view.record (plan, position, ordinal, at, actor, channel, verb, target, entry)
select * from unnest($1::text[], $2::bigint[], $3::int[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
                     $9::bytea[])
on conflict (plan, position, ordinal) do nothing
