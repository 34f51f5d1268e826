-- The groups of a user, those known already included.
insert into identity.memberships (user_id, group_id)
select $1, g.id
from unnest($2::text[]) as g (id)
on conflict (user_id, group_id) do nothing
