-- The lock under which the log is written, until the transaction ends: log.append takes the same.
select pg_advisory_xact_lock(7165066907190)
