-- As of which position of the log the sweep's tables are: that of the one that is behind, 0 while one was never folded.
select coalesce(min(c.position), 0)::bigint
from unnest(array['plans', 'open_attempts']) as wanted (name)
left join view.checkpoint c on c.name = wanted.name
having count(c.position) = 2
