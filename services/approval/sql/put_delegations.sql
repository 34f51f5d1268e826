-- Standing delegations as they are now; one that has no time to end is no more.
with wanted as (
    select * from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[])
        as given (delegator, delegate, until, given_at, reason)
), gone as (
    delete from view.delegation d
    using wanted w
    where w.delegator = d.delegator and w.delegate = d.delegate and w.until = 0
)
insert into view.delegation (delegator, delegate, until, given_at, reason)
select delegator, delegate, until, given_at, reason from wanted where until > 0
on conflict (delegator, delegate) do update
set until = excluded.until, given_at = excluded.given_at, reason = excluded.reason
