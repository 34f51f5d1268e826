-- Compare and set, first in its transaction: of two projectors at one position one moves it, the other changes no row.
update view.checkpoint
set position = $3
where name = $1
  and position = $2
