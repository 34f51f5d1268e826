"""The command line knows the services by name alone; this holds the names against the services."""

import importlib

from infra.embedded.secrets import SERVICES
from services.cli.parts import PROJECTIONS


def test_every_projection_is_known_with_the_service_that_folds_it() -> None:
    found: dict[str, str] = {}
    for service in SERVICES:
        app = importlib.import_module(f"services.{service}.app")
        if hasattr(app, "projections"):
            found |= {projection.name: service for projection in app.projections(NoLog())}
    assert found == PROJECTIONS


class NoLog:
    """Enough to ask a service which projections it has."""

    def __getattr__(self, name: str) -> object:
        return None
