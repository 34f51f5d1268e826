-- What one service has to look at by now, oldest first. No limit: rows that stay must not hide those behind them.
select stream, kind, due_at
from view.timer
where service = $1
  and due_at <= $2
order by due_at, stream, kind
