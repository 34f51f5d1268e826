-- Attempts of workflow items that have begun and are not told as ended: what the executor's sweep looks at.
-- Folded by the executor; can be dropped and rebuilt.
--
-- Runs as gonogo_owner.

create table view.open_attempt (
    run text primary key,
    plan text not null
);
