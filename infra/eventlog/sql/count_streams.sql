-- How many streams there are, as their rows say.
select count(*) from log.stream
