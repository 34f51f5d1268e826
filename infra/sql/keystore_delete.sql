-- Shreds a secret: what was sealed under it cannot be read any more.
delete from keystore.entry
where name = $1
