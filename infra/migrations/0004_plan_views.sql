-- The list of plans, the operation record, and the running number of plans.
--
-- view.plan is folded by the planner, view.record and view.record_stream by audit; both can be dropped and rebuilt.
-- The running number is drawn before a plan is created and recorded in its first event, like an id; it is no state.
--
-- Runs as gonogo_owner.

create table view.plan (
    id text primary key,
    idx bigint not null,
    project text not null,
    name text not null,
    status text not null,
    owners text[] not null,
    labels text[] not null,
    window_start bigint,
    window_end bigint,
    item_owners text[] not null,
    waiting_for text[] not null,
    created_at bigint not null,
    updated_at bigint not null,
    updated_by text not null,
    version int not null,
    position bigint not null,
    search text not null
);

create index plan_by_idx on view.plan (idx desc);
create index plan_by_status on view.plan (status, idx desc);
create index plan_by_owner on view.plan using gin (owners);
create index plan_by_label on view.plan using gin (labels);
create index plan_open on view.plan (id) where status not in ('success', 'cancel');

-- One row per entry of the operation record; plan is empty for what concerns the installation.
create table view.record (
    plan text not null,
    position bigint not null,
    ordinal int not null,
    at bigint not null,
    actor text not null,
    channel text not null,
    verb text not null,
    target text not null,
    entry bytea not null,
    primary key (plan, position, ordinal)
);

-- To which plan a run, a delivery or a callback stream belongs.
create table view.record_stream (
    stream text primary key,
    plan text not null
);

create index record_stream_of_plan on view.record_stream (plan);

create schema planner;
create sequence planner.plan_index;
grant usage on schema planner to gonogo_planner;
grant usage, select, update on sequence planner.plan_index to gonogo_planner;
