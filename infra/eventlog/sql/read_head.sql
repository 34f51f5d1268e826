-- The end of the log.
select position, epoch, recorded_at from log.head
