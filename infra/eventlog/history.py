"""Whether the log is still the one that this process knows, for what it remembers of it: states, positions, facts.

A database that is restored from a backup ends earlier, and goes on differently. Whoever remembers more than it holds would
wait behind its end in silence, or decide on what never happened. So each new connection, before anybody uses it, is asked
for the end, the epoch and one event that was seen; a restore breaks the old ones. Where the answer does not fit, nothing
more is read or appended, and the process ends: the next one remembers nothing. It repairs nothing, and it says nothing
about a log of which everything that was seen is still there, which is as good as the one before.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import structlog

from contracts.envelope import Fact, Position
from infra.errors import Unavailable
from infra.postgres import CONNECT_SECONDS, load_sql

if TYPE_CHECKING:
    from infra.postgres import AnyConnection

log = structlog.get_logger(__name__)


class AnotherLog(Unavailable):
    """The database has another log than the one that this process knows: it was restored. The process must end."""

    def __init__(self, reason: str) -> None:
        super().__init__("the event log")
        self.reason = reason

    def __str__(self) -> str:
        return f"the database was restored from a backup, or is another one: {self.reason}"


class Known(NamedTuple):
    """What is known of the log: its epoch ("": nothing yet), the highest position that was heard of, the newest event read."""

    epoch: str = ""
    end: Position = 0
    position: Position = 0
    leaf: bytes = b""


def difference(known: Known, epoch: str, end: Position, leaf: bytes | None) -> str | None:
    """Why this is not the log that is known; `None` where it may be. `leaf` is that of the known position now."""
    if not known.epoch:
        return None
    if end < known.end:
        return f"it ends at position {end}, and {known.end} was seen"
    if known.position and leaf != known.leaf:
        return f"event {known.position} is not the one that was seen"
    if epoch != known.epoch:
        return f"its epoch is {epoch}, and was {known.epoch}"
    return None


class History:
    """What one process knows of the log. `end` may be raised by whoever hears of a position."""

    def __init__(self) -> None:
        self._epoch = ""
        self.end: Position = 0
        self._newest: Fact | None = None
        self._another = ""
        self._query = load_sql("infra.eventlog", "history")
        self.on_another: Callable[[AnotherLog], None] | None = None

    def saw(self, facts: Sequence[Fact]) -> None:
        """These were read, whole and in order of position; not empty."""
        newest = facts[-1]
        if self._newest is None or newest.position > self._newest.position:
            self._newest = newest
            if newest.position > self.end:
                self.end = newest.position

    async def check(self, connection: "AnyConnection") -> None:
        """Compare what is known with what this connection shows. Raises AnotherLog, and what asyncpg raises."""
        if self._another:
            raise AnotherLog(self._another)
        known = self._known()  # before asking: others go on reading meanwhile
        record = await connection.fetchrow(self._query, known.position, timeout=CONNECT_SECONDS)
        if record is None:
            return  # a log without a head is somebody else's fault to tell
        if reason := difference(known, record["epoch"], record["position"], record["leaf"]):
            raise self._ended(reason)
        self._epoch = known.epoch or record["epoch"]

    def _ended(self, reason: str) -> AnotherLog:
        error = AnotherLog(reason)
        if not self._another:  # others may have asked at the same time
            self._another = reason
            log.error("another_log", reason=reason)
            if self.on_another is not None:
                self.on_another(error)
        return error

    def _known(self) -> Known:
        newest = self._newest
        return Known(self._epoch, self.end, newest.position if newest else 0, newest.leaf if newest else b"")
