-- To whom somebody gave their vote on all plans.
select d.delegate, d.until, d.given_at, d.reason
from view.delegation d
where d.delegator = $1
order by d.delegate
