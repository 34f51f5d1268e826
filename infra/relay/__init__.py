"""The relay: the only writer of the mirror, and the bell-ringer. `Relay` does it, `LogWatch` wakes it and lets one lead."""

from infra.relay.relay import STANDING_BY, Relay
from infra.relay.watch import LogWatch

__all__ = ["STANDING_BY", "LogWatch", "Relay"]
