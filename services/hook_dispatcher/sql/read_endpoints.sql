-- All endpoints; there are few.
select id, url, secret_ref, events, enabled, version, position
from view.endpoint
order by id
