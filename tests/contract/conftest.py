"""What several contract tests look at: the gateway's table of routes."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from infra.clock import SetClock
from infra.tail import Tail, Wake
from services.gateway.app import Parts, routes_of
from services.gateway.feed import Feed
from services.gateway.metrics import Metrics
from services.gateway.route import Route


@pytest.fixture(scope="session")
def routes() -> list[Route]:
    """The whole table, of parts that are never asked for anything."""
    log: Any = SimpleNamespace(pool=None, fetch=None)
    ground: Any = SimpleNamespace(log=log, bus=None, clock=SetClock(0))
    feed = Feed(log, Tail(log, Wake()))
    nothing = cast(Any, None)
    return routes_of(Parts(ground, nothing, None, feed, nothing, Metrics(), nothing, nothing))
