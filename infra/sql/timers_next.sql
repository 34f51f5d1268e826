-- When the next timer of one service falls due, so that its loop may sleep until then.
select min(due_at) as due_at
from view.timer
where service = $1
  and due_at > $2
