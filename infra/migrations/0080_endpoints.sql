-- Endpoints with form, scope, order, limits, rotation and verification; deliveries in either form. Columns have defaults,
-- so that a dispatcher of the release before can go on writing its own.
--
-- Runs as gonogo_owner.

alter table view.endpoint
    add column name text not null default '',
    add column format text not null default 'zadig',
    add column project text not null default '',
    add column plan text not null default '',
    add column ordered boolean not null default false,
    add column concurrency int not null default 4,
    add column rate_per_minute int not null default 0,
    add column signing text not null default 'hmac',
    add column public_key text not null default '',
    add column verify boolean not null default false,
    add column verified boolean not null default false,
    add column challenge text not null default '',
    add column previous_ref text not null default '',
    add column previous_until bigint not null default 0,
    add column reason text not null default '';

-- As the fold has it: an endpoint of the first release has its name in that of its secret.
update view.endpoint
set name = split_part(secret_ref, '/', 2)
where secret_ref like '%/%/%' and secret_ref not like '%/%/%/%';

alter table view.delivery
    add column format text not null default 'zadig';

-- What is before a hook on its way to an ordered endpoint, and what of an endpoint is open: both are asked for at each look.
create index delivery_in_order on view.delivery (endpoint, plan, raised_by, id);
create index delivery_open_by_endpoint on view.delivery (endpoint, next_at) where state not in ('delivered', 'dead');

-- The list of an installation's deliveries, page by page.
create index delivery_newest on view.delivery (raised_by desc, id desc);
