-- A new value takes the place of the old one at once. Parameters instead of `excluded`, which would need the right to
-- read the sealed values.
insert into keystore.entry (name, key_id, nonce, sealed, updated_at)
values ($1, $2, $3, $4, $5)
on conflict (name) do update
set key_id = $2, nonce = $3, sealed = $4, updated_at = $5
