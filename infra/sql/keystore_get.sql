-- One entry, still sealed.
select key_id, nonce, sealed
from keystore.entry
where name = $1
