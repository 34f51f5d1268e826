"""What the supervisor is asked to run, and how it says that it cannot."""

from collections.abc import Mapping

import msgspec


class ServiceSpec(msgspec.Struct, frozen=True):
    """A service: its name (role and NATS user follow from it), its command line, additions to its environment."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = {}


class GaveUp(Exception):
    """A process cannot be kept running. The text is one sentence for a person and names the log."""
