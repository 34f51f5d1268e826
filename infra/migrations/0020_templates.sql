-- Templates by name, for their list. Folded by the planner; can be dropped and rebuilt.
--
-- Runs as gonogo_owner.

create table view.template (
    name text primary key,
    description text not null,
    project text,
    revision integer not null,
    parameters integer not null,
    items integer not null,
    put_by text not null,
    put_at bigint not null,
    version integer not null,
    position bigint not null
);
