-- A new token of a user who exists; nothing is inserted for one who does not.
insert into identity.tokens (id, user_id, sha256, label, created_at, expires_at)
select $1, u.id, $3, $4, $5, $6
from identity.users u
where u.id = $2
