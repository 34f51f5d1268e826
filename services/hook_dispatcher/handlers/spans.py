"""Spans of deliveries, where traces are kept. They go on with the trace stored with the event that raised the hook.

A receiver gets the `traceparent` of its attempt, so its own spans join ours. Its address is told as host and port only:
a path or a query may well be the secret by which it is reached.
"""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from msgspec.structs import replace

from infra.errors import Unavailable
from infra.eventlog import EventLog
from infra.telemetry.tracing import Tracing, fail, traceparent_of
from services.hook_dispatcher.adapters import Hook
from services.hook_dispatcher.decider.deliveries import Sent
from services.hook_dispatcher.views.delivery import Delivery


class HookSpans:
    """Those of one dispatcher."""

    def __init__(self, log: EventLog, tracing: Tracing) -> None:
        self._log = log
        self._tracing = tracing

    async def delivered(self, delivery: Delivery, bring: Callable[[], Awaitable[bool]]) -> bool:
        """Bring a delivery on within a span; there is none when that did nothing."""
        created = delivery.created
        attributes: dict[str, str | int | list[str]] = {
            "gonogo.delivery": delivery.id,
            "gonogo.hook": created.event,
            "gonogo.plan": created.plan,
            "gonogo.cause.position": created.raised_by,
        }
        trace = await self._trace_of(created.raised_by)
        with self._tracing.perhaps("deliver hook", attributes, (trace,) if trace else ()):
            return await bring()

    async def sent(self, delivery: Delivery, hook: Hook, send: Callable[[Hook], Awaitable[Sent]]) -> Sent:
        """One attempt within a span, which goes along with it."""
        address = urlsplit(hook.url)
        attributes: dict[str, str | int | list[str]] = {
            "http.request.method": "POST",
            "http.request.resend_count": delivery.attempts - 1,
            "server.address": address.hostname or "",
            "server.port": address.port or (443 if address.scheme == "https" else 80),
        }
        with self._tracing.span("POST", "client", attributes) as span:
            sent = await send(replace(hook, traceparent=traceparent_of(span)))
            if sent.status is not None:
                span.set_attribute("http.response.status_code", sent.status)
            if not sent.taken:
                fail(span, sent.error or str(sent.status))
            return sent

    async def _trace_of(self, position: int) -> str:
        try:
            facts = await self._log.read_after(position - 1, 1)
        except Unavailable:  # the attempt will find out
            return ""
        return facts[0].trace if facts else ""
