-- The timers of these plans are about to be written anew.
delete from view.timer where stream = any($1::text[])
