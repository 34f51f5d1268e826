-- The ground of the projections: where each stands in the log, and the timers derived from it.
-- Everything in this schema can be dropped and rebuilt from the log.
--
-- Runs as gonogo_owner.

create schema view;

create table view.checkpoint (
    name text primary key,
    position bigint not null check (position >= 0)
);

-- due_at is in Unix microseconds. One row per thing that a stream waits for; the projection that owns the table
-- removes it when the log has moved on, never the loop that fires it.
create table view.timer (
    stream text not null,
    kind text not null,
    due_at bigint not null,
    service text not null,
    primary key (stream, kind)
);

create index timer_due on view.timer (service, due_at);

-- A projecting service writes its own tables. All of them may write all views for now; none may write the log.
-- Truncate belongs to it: a projection that finds itself ahead of a restored log starts again.
grant usage on schema view to
    gonogo_planner, gonogo_approval, gonogo_executor, gonogo_hook_dispatcher, gonogo_audit, gonogo_gateway, gonogo_relay;

grant select, insert, update, delete, truncate on all tables in schema view to
    gonogo_planner, gonogo_approval, gonogo_executor, gonogo_hook_dispatcher, gonogo_audit, gonogo_gateway;

grant select on all tables in schema view to gonogo_relay;

alter default privileges in schema view
    grant select, insert, update, delete, truncate on tables to
    gonogo_planner, gonogo_approval, gonogo_executor, gonogo_hook_dispatcher, gonogo_audit, gonogo_gateway;

alter default privileges in schema view
    grant usage on sequences to
    gonogo_planner, gonogo_approval, gonogo_executor, gonogo_hook_dispatcher, gonogo_audit, gonogo_gateway;

alter default privileges in schema view
    grant select on tables to gonogo_relay;
