-- Which sessions have the log's lock or its head, when an append waited for them in vain. Any role that logs in can take the
-- lock by its number, and one that may append can keep its transaction open: no right prevents it, so it is told who does.
select a.pid, a.usename as role, a.application_name as application
from pg_catalog.pg_stat_activity as a
where a.pid <> pg_backend_pid()
  and a.pid in (
    select held.pid
    from pg_catalog.pg_locks as held
    where held.granted
      and (
        held.locktype = 'advisory' and held.classid = 1668 and held.objid = 1061457462 and held.objsubid = 1
        or held.relation = 'log.head'::regclass and held.mode <> 'AccessShareLock'
      )
  )
order by a.pid
