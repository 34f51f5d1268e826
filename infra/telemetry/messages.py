"""Spans of a command on its way over the bus: one at who asks, over all its tries, and one at each who answers.

Names and attributes follow the semantic conventions for messaging; NATS has no page of its own there yet.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from contracts.subjects import command_subject
from infra.telemetry.tracing import Attributes, Tracing, traceparent_of


@contextmanager
def asking(tracing: Tracing, service: str) -> Iterator[Mapping[str, str]]:
    """Around a request. Gives the headers that go with it."""
    subject = command_subject(service)
    with tracing.span(f"request {subject}", "client", _attributes(subject, "request", "send")) as span:
        yield {"traceparent": traceparent_of(span)}


@contextmanager
def answering(tracing: Tracing, service: str, headers: Mapping[str, str] | None) -> Iterator[None]:
    """Around the answer to a request that came with these headers."""
    subject = command_subject(service)
    attributes = {**_attributes(subject, "process", "process"), "messaging.consumer.group.name": service}
    parent = (headers or {}).get("traceparent", "")
    with tracing.span(f"process {subject}", "consumer", attributes, parent=parent):
        yield


def _attributes(subject: str, operation: str, kind: str) -> Attributes:
    return {
        "messaging.system": "nats",
        "messaging.operation.name": operation,
        "messaging.operation.type": kind,
        "messaging.destination.name": subject,
    }
