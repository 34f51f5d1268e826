-- The stream of a round's letters, so that a fact of that stream finds its row.
--
-- Runs as gonogo_owner.

alter table view.letter_round add column stream text not null default '';
create index letter_round_stream on view.letter_round (stream);
create index letter_round_changed on view.letter_round (changed_at);
