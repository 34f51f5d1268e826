-- To whom these people have given their vote on all plans, beyond $2 (Unix µs).
select delegator, delegate, until, given_at, reason
from view.delegation
where delegator = any($1::text[])
  and until > $2
order by delegator, delegate
