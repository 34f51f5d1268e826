"""The relay: mirrors the log to the bus and rings for everybody else."""
