"""Traces, where an endpoint for them is set: spans of requests, commands, appends, reactions, steps and hooks.

The only package that knows OpenTelemetry, and nothing of it is loaded unless there is an endpoint: whoever makes spans
holds a `Tracing | None` and asks that one thing. Attributes say which, how many and how it ended. They never hold a
token, a secret, a query, a payload or an error's own words, since whoever may see the traces need not see the plans.
"""

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from infra.errors import Misconfigured

if TYPE_CHECKING:
    from infra.telemetry.tracing import Tracing


def open_tracing(service: str, endpoint: str) -> "Tracing | None":
    """What makes this service's spans; None without an endpoint. Raises Misconfigured for an address that is none.

    `endpoint` is the base address of a collector that speaks OTLP over HTTP, such as http://127.0.0.1:4318.
    """
    if not endpoint:
        return None
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Misconfigured("OTEL_EXPORTER_OTLP_ENDPOINT must be an address such as http://127.0.0.1:4318")
    from infra.telemetry.opening import open_at  # here, so that who has no endpoint does not carry OpenTelemetry

    return open_at(service, f"{endpoint.rstrip('/')}/v1/traces")
