-- What these users are called, the inactive ones too: what they did keeps their name.
select u.id, u.name
from identity.users u
where u.id = any ($1::text[])
