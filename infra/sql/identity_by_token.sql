-- Who a token stands for, by its hash: one indexed row. Revoked and expired tokens and inactive users are nobody.
select u.id, u.administrator, t.expires_at,
    array(select m.group_id from identity.memberships m where m.user_id = u.id order by m.group_id) as groups
from identity.tokens t
join identity.users u on u.id = t.user_id
where t.sha256 = $1
  and t.revoked_at = 0
  and (t.expires_at = 0 or t.expires_at > $2)
  and u.active
