"""Settings of the relay: those of every service, and how it weighs delay against work."""

from typing import Annotated

import msgspec

from infra import config


class Settings(config.Settings, frozen=True, kw_only=True):
    """`GONOGO_RELAY_...` and the shared ones."""

    relay_gather_seconds: Annotated[
        float,
        msgspec.Meta(
            ge=0, le=0.1, description="How long to gather events after the first, in seconds: later, cheaper."
        ),
    ] = 0.0
    relay_max_lag: Annotated[
        int, msgspec.Meta(ge=1, description="With more events than this to publish, the relay is not ready.")
    ] = 10_000
    mirror_replicas: Annotated[
        int, msgspec.Meta(ge=1, le=5, description="Copies of the event stream that a NATS cluster keeps.")
    ] = 1
