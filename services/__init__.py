"""The actors: one folder, one process, one shape. No service imports another."""
