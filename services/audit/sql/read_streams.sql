-- The plans of these streams, from earlier batches.
select stream, plan from view.record_stream where stream = any($1::text[])
