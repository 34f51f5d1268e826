-- Plans that a freeze holds: they are looked at when a freeze is changed or deleted.
select stream
from view.timer
where service = 'executor'
  and kind = 'freeze_end'
