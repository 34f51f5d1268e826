-- Attempts that have ended, as their plan says.
delete from view.open_attempt where run = any($1::text[])
