-- Templates that are offered no more.
delete from view.template where name = any($1::text[])
