-- Runs that ended otherwise say nothing about how long a good one takes.
delete from view.attempt_time where run = any($1::text[])
