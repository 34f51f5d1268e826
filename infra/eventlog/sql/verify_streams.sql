-- Every stream's version, to be compared with the versions of its events.
select stream, version from log.stream
