-- What calendar, conflicts and inbox search the list of plans by: the time that a plan takes (its window, else its
-- schedule), what it touches (service/environment), whom it asks for something and when the first of that is over.
--
-- The list is folded again from the log, so nothing is filled here.
--
-- Runs as gonogo_owner.

truncate view.plan, view.timer;
update view.checkpoint set position = 0 where name = 'plans';

alter table view.plan
    add column starts bigint,
    add column ends bigint,
    add column zone text not null default '',
    add column touches text[] not null default '{}',
    add column asked text[] not null default '{}',
    add column asked_until bigint not null default 9223372036854775807;

create index plan_by_touch on view.plan using gin (touches);
create index plan_by_asked on view.plan using gin (asked);
create index plan_by_item_owner on view.plan using gin (item_owners);
create index plan_by_waiting_for on view.plan using gin (waiting_for);
create index plan_by_end on view.plan (ends) where ends is not null;
create index plan_by_start on view.plan (coalesce(starts, 9223372036854775807), idx);
create index plan_by_name on view.plan (name, idx);
create index plan_by_updated on view.plan (updated_at desc, id desc);
create index plan_by_project on view.plan (project, idx desc);
