-- Compare and set, first in its transaction: of two projectors at one position one moves it, the other changes no row.
-- The transaction also stops waiting for the disk: rows and checkpoint would be lost together, and are folded again.
update view.checkpoint
set position = $3
where name = $1
  and position = $2
  and set_config('synchronous_commit', 'off', true) = 'off'
