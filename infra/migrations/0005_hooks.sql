-- Hooks: where they go, and how each stands on its way. Folded by the hook_dispatcher; both tables can be dropped and
-- rebuilt.
--
-- Runs as gonogo_owner.

create table view.endpoint (
    id text primary key,
    url text not null,
    secret_ref text not null,
    events text[] not null,
    enabled boolean not null,
    version int not null,
    position bigint not null
);

-- A row is there as soon as its hook is due, in state `due`; it becomes `pending` with the first fact of its stream.
-- next_at is when there may be something to do: a retry, or the end of an attempt without outcome. 0: nothing.
create table view.delivery (
    id text primary key,
    plan text not null,
    event text not null,
    round int not null,
    endpoint text not null,
    raised_by bigint not null,
    state text not null check (state in ('due', 'pending', 'sending', 'retrying', 'delivered', 'dead')),
    attempts int not null,
    last_status int,
    last_error text not null,
    next_at bigint not null,
    created_at bigint not null,
    ended_at bigint not null,
    version int not null,
    position bigint not null
);

create index delivery_by_plan on view.delivery (plan, position desc);
create index delivery_open on view.delivery (next_at) where state not in ('delivered', 'dead');
