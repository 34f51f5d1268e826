-- Stores a batch of commands in one call; log.append in 0001_log.sql says what it promises.
select statuses, versions, lasts, answers
from log.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
