"""Settings of approval: those of every service."""

from infra.config import Settings as Settings
