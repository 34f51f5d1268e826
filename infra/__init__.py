"""The ground that the services stand on: log, bus, projections, timers, processes. No business rule lives here."""
