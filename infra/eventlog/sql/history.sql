-- Is this the log that a process knows: its end, its epoch, and the leaf of the newest event that was read.
select head.position, head.epoch, (select leaf from log.event where event.position = $1) as leaf from log.head
