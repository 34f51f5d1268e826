"""Settings of the planner: those of every service."""

from infra.config import Settings as Settings
