-- True when this session leads, now or already. Asked again and again, so a lock that is held must not be taken twice.
select exists (
    select
    from pg_catalog.pg_locks as held
    where held.locktype = 'advisory'
      and held.pid = pg_backend_pid()
      and held.granted
      and held.classid = ($1::bigint >> 32)::oid
      and held.objid = ($1::bigint & 4294967295)::oid
      and held.objsubid = 1
) or pg_try_advisory_lock($1)
