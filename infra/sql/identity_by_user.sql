-- One user with their groups.
select u.id, u.name, u.administrator, u.active, u.email,
    array(select m.group_id from identity.memberships m where m.user_id = u.id order by m.group_id) as groups
from identity.users u
where u.id = $1
