-- Streams whose row does not say the version of their last event, or that have only one of the two.
select stream, said.version as said, found.version as found
from log.stream as said
full join (
    select distinct on (stream) stream, version
    from log.event
    order by stream, position desc
) as found using (stream)
where said.version is distinct from found.version
order by stream
