-- The log's new epoch, or null where this proves nothing; log.renew_epoch in 0091_renew_epoch.sql says what it takes.
select log.renew_epoch($1, $2, $3) as epoch
