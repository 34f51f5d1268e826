"""What the relay tells Prometheus: where the mirror stands, how far behind, how fast, how often it was rebuilt."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 30)


class RelayMetrics:
    """The relay's series in one registry; a registry of their own when none is given."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._registry = registry or CollectorRegistry()
        self.position = Gauge("gonogo_relay_position", "Last log position in the mirror.", registry=self._registry)
        self.lag = Gauge("gonogo_relay_lag_events", "Events in the log and not in the mirror.", registry=self._registry)
        self.rebuilds = Counter("gonogo_relay_rebuilds", "Times the mirror was thrown away.", registry=self._registry)
        self._events = Counter("gonogo_relay_events", "Events published.", registry=self._registry)
        self._delay = Histogram(
            "gonogo_relay_delay_seconds",
            "From the append to the mirror's acknowledgement, last event of each batch.",
            buckets=_BUCKETS,
            registry=self._registry,
        )

    def published(self, events: int, delay_microseconds: int) -> None:
        self._events.inc(events)
        self._delay.observe(max(0, delay_microseconds) / 1_000_000)

    def close(self) -> None:
        """Take the series out of the registry, so that a relay opened again may put them back."""
        for series in (self.position, self.lag, self.rebuilds, self._events, self._delay):
            self._registry.unregister(series)
