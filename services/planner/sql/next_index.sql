-- The running number of a new plan. A number that is drawn and not used leaves a gap, as the seed's counter does.
select nextval('planner.plan_index')
