-- Who people are, and the secrets that are used on their behalf. Neither is derived from the log, on purpose: names can
-- be forgotten and secrets shredded, which an append-only log cannot do.
--
-- Runs as gonogo_owner. Times are Unix microseconds, 0 for "never".

create schema identity;

-- `id` without the `user:` that references carry.
create table identity.users (
    id text primary key check (id ~ '^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$'),
    name text not null,
    administrator boolean not null default false,
    active boolean not null default true,
    created_at bigint not null
);

create table identity.memberships (
    user_id text not null references identity.users (id) on delete cascade,
    group_id text not null check (group_id ~ '^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$'),
    primary key (user_id, group_id)
);

create index membership_group on identity.memberships (group_id);

-- A token has 256 random bits, so its bare SHA-256 cannot be searched; the token itself is nowhere.
create table identity.tokens (
    id text primary key,
    user_id text not null references identity.users (id) on delete cascade,
    sha256 bytea not null unique check (length(sha256) = 32),
    label text not null,
    created_at bigint not null,
    expires_at bigint not null default 0,
    revoked_at bigint not null default 0
);

create index token_user on identity.tokens (user_id);

grant usage on schema identity to
    gonogo_gateway, gonogo_planner, gonogo_approval, gonogo_executor, gonogo_hook_dispatcher;
grant select, insert, update, delete on identity.users, identity.memberships, identity.tokens to gonogo_gateway;
grant select on identity.users, identity.memberships to
    gonogo_planner, gonogo_approval, gonogo_executor, gonogo_hook_dispatcher;

create schema keystore;

-- Sealed with AES-256-GCM under a master key that the database never sees; `key_id` tells which one, so that a wrong
-- master key is told as such. Name and key id are authenticated, so an entry cannot be moved under another name.
create table keystore.entry (
    name text primary key,
    key_id text not null,
    nonce bytea not null check (length(nonce) = 12),
    sealed bytea not null,
    updated_at bigint not null
);

-- Who takes secrets in cannot read them out again, and who uses them cannot change them.
grant usage on schema keystore to gonogo_gateway, gonogo_executor, gonogo_hook_dispatcher;
grant select (name, key_id, updated_at), insert, update, delete on keystore.entry to gonogo_gateway;
grant select on keystore.entry to gonogo_executor, gonogo_hook_dispatcher;
