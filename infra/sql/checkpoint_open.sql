-- A projection starts at 0; whoever comes second finds the row and leaves it alone.
insert into view.checkpoint (name, position)
values ($1, 0)
on conflict (name) do nothing
