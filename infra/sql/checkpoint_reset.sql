-- A rebuild begins again at 0. An insert as well, since a projection may be rebuilt before it ever ran.
insert into view.checkpoint (name, position)
values ($1, 0)
on conflict (name) do update set position = 0
