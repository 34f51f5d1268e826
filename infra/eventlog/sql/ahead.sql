-- The projections that have folded more than the log holds: they were not restored together with it.
select name from view.checkpoint where position > $1 order by name
