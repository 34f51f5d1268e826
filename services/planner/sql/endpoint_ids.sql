-- The ids of all endpoints; there are few.
select id from view.endpoint order by id
