-- Up to where a projection contains the log.
select position from view.checkpoint where name = $1
