-- Revoking again keeps the first time.
update identity.tokens
set revoked_at = case when revoked_at = 0 then $2 else revoked_at end
where id = $1
