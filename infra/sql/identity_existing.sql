-- Which of these people and groups there are. A group is there when it has an active member: one without cannot answer.
select 'user:' || u.id as ref
from identity.users u
where u.id = any ($1::text[])
  and u.active
union
select 'group:' || m.group_id
from identity.memberships m
join identity.users u on u.id = m.user_id
where m.group_id = any ($2::text[])
  and u.active
