"""Settings of audit: those of every service."""

from infra.config import Settings as Settings
