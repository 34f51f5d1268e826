-- Whether a hook may go to an ordered endpoint depends on the open ones before it alone. An index over all of them had to
-- be read past every delivered one of the plan.
--
-- Runs as gonogo_owner.

create index delivery_open_in_order on view.delivery (endpoint, plan, raised_by, id)
    where state not in ('delivered', 'dead');

drop index view.delivery_in_order;
