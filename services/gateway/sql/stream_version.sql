-- The version of a stream, for an append that depends on nothing in it.
select coalesce((select version from log.stream where stream = $1), 0)
