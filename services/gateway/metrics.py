"""The gateway's measurements for Prometheus, by route template and never by address: plan ids would make a series each."""

from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """Counts requests. Its registry is its own, so that two gateways in one process do not collide."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "gonogo_http_requests", "Requests answered.", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "gonogo_http_request_seconds",
            "Time from the head of a request to its answer.",
            ["method", "route"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self.listeners = Gauge("gonogo_feed_listeners", "Open live feeds.", registry=self._registry)
        self.cut_off = Counter("gonogo_feed_cut_off", "Feeds ended because they were slow.", registry=self._registry)
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request was answered."""
        known = self._known.get((method, route, status))
        if known is None:
            known = self._requests.labels(method, route, str(status)), self._seconds.labels(method, route)
            self._known[(method, route, status)] = known
        known[0].inc()
        known[1].observe(seconds)

    def text(self) -> bytes:
        """Everything, in Prometheus' text form."""
        return generate_latest(self._registry) + generate_latest(REGISTRY)
