-- Every command in the order of its events, so that both can be walked side by side.
select key, stream, version, last, events from log.command order by last, events
