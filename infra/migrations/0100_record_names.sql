-- The record calls freezes, endpoints, templates, workflows and lists by their names, and says what they became.
--
-- It is folded again from the log, so that what was recorded before says so too.
--
-- Runs as gonogo_owner.

truncate view.record, view.record_stream;
update view.checkpoint set position = 0 where name = 'record';
