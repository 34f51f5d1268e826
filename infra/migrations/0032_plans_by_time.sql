-- What overlaps a time is asked by list, calendar and conflicts: an index of ranges finds it at once, two of bounds do not.
--
-- Runs as gonogo_owner.

drop index view.plan_by_end;
create index plan_by_time on view.plan using gist (int8range(starts, ends)) where starts is not null;
