"""The planner: drafts plans, seals them, opens them again, cancels them; keeps the list of plans and their timers."""
