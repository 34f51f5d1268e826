-- All endpoints; there are few.
select id, url, secret_ref, events, enabled, version
from view.endpoint
order by id
