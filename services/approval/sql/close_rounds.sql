-- The open round of this plan is over.
update view.letter_round set open = false, changed_at = $2 where plan = $1 and open
