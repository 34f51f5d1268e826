-- An approval round has been opened.
insert into view.letter_round (plan, round, stream, open, changed_at, letters_open)
values ($1, $2, $3, true, $4, 0)
on conflict (plan, round) do update set open = true, changed_at = excluded.changed_at
