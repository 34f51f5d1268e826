-- After a restore the counter may be behind the plans of the log; it goes on after the highest number.
select setval('planner.plan_index', greatest((select last_value from planner.plan_index), (select max(idx) from view.plan)))
where (select max(idx) from view.plan) is not null
