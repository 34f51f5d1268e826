-- Freezes are looked at before anything starts, so what happened to them is found at once in a log of any length.
--
-- Runs as gonogo_owner.

create index event_of_freezes on log.event (position) where type in ('freeze.put.v1', 'freeze.deleted.v1');
