-- Another name for this history of the log, without asking for a proof; made as 0001_log.sql makes the first.
update log.head set epoch = replace(gen_random_uuid()::text, '-', '') where only_one returning epoch
