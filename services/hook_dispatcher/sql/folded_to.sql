-- Up to where the hooks are folded.
select coalesce((select position from view.checkpoint where name = 'hooks'), 0)
