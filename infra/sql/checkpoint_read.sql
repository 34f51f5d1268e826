-- The position up to which a projection has folded the log.
select position
from view.checkpoint
where name = $1
