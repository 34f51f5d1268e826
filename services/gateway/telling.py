"""Tells the log what the gateway itself changes, outside of it: the directory and the key store.

Told before it is done where the same order can simply be given again, so nothing changes that is not in the record. It
decides nothing and keeps no state.
"""

from contracts.plan_events import Event
from contracts.registry import encode
from infra.clock import Clock
from infra.errors import Unavailable
from infra.eventlog import Append, Conflict, Draft, EventLog
from infra.ids import random_id
from infra.postgres import load_sql
from infra.requests import fingerprint_of
from services.gateway.route import Call

_TRIES = 8


class Telling:
    """One per gateway."""

    def __init__(self, log: EventLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._version = load_sql("services.gateway", "stream_version")

    async def tell(self, call: Call, stream: str, event: Event, *, once: str = "") -> None:
        """Append it, in the name of who asks. `once`: a key under which it is told a single time, however often it is asked.

        Raises Unavailable when the log does not take it.
        """
        key = f"{stream}/{once or random_id()}"
        for _ in range(_TRIES):
            outcome = await self._log.append(
                Append(
                    stream=stream,
                    expected=await self._log.pool.fetchval(self._version, stream),
                    principal=call.actor.id,
                    key=key,
                    fingerprint=fingerprint_of(key),
                    events=(Draft(*encode(event)),),
                    at=self._clock.now(),
                    actor=call.actor.id,
                    channel=call.actor.channel,
                    trace=call.trace.parent,
                )
            )
            if not isinstance(outcome, Conflict):
                return
        raise Unavailable(f"stream {stream}", retry_after_seconds=0.2)
