-- The endpoints, $1 at most, that hooks may go to, so that their states can be read before there is a hook.
select id from view.endpoint where enabled order by id limit $1
