-- The active members of these groups.
select m.group_id, m.user_id
from identity.memberships m
join identity.users u on u.id = m.user_id
where m.group_id = any ($1::text[])
  and u.active
