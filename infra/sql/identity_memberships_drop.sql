-- The groups that a user has left; the others are kept, so that nobody misses one for a moment.
delete from identity.memberships
where user_id = $1
  and not group_id = any ($2::text[])
