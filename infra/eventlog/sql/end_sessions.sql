-- Ends the services' connections to this database and counts them. Each service connects again by itself, and looks.
select count(*) filter (where pg_terminate_backend(pid))
from pg_stat_activity
where datname = current_database() and usename like 'gonogo\_%' and pid <> pg_backend_pid()
