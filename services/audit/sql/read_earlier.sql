-- What the last event of this type said, before this version of its stream: the before of a thing that is said anew.
select payload from log.event
where stream = $1 and type = $2 and version < $3
order by version desc
limit 1
