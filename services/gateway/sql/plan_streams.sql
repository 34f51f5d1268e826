-- The runs and deliveries of a plan, as far as the operation record knows them.
select stream from view.record_stream where plan = $1
