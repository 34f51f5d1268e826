"""From an address to what makes spans: the SDK with our outbox.

All else is the SDK's own and read by it from the standard variables: OTEL_TRACES_SAMPLER, OTEL_RESOURCE_ATTRIBUTES,
OTEL_EXPORTER_OTLP_HEADERS and so on. By default every trace is kept, unless the caller says that theirs is not.
"""

import logging
import os

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from infra.ids import random_id
from infra.telemetry.outbox import Outbox
from infra.telemetry.tracing import Tracing


def open_at(service: str, address: str) -> Tracing | None:
    """`address` is the full one. One per service; `close` it when the service ends. None where the SDK is switched off."""
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    # The library tells each try of each batch; what matters of that the outbox says, once.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    resource = Resource.create(
        {"service.namespace": "gonogo", "service.name": service, "service.instance.id": random_id()}
    )
    outbox = Outbox(OTLPSpanExporter(endpoint=address))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(outbox)
    return Tracing(provider.get_tracer("gonogo"), outbox)
