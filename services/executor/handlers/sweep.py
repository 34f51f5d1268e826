"""What the executor looks at without being woken: what moved since it last looked, and now and then everything open.

The follower of the log and the timers name what is due; a sweep makes good what they missed. A plan that has not moved since
the last sweep was looked at then, successfully or again and again, and what time alone makes due has a timer. So a thousand
plans that wait cost a query, and only each `_WHOLE` sweep as many looks.
"""

from infra.eventlog import EventLog
from infra.postgres import load_sql
from infra.reactor import Swept

_PACKAGE = "services.executor"
_WHOLE = 20
"""Each so many sweeps nothing is taken for granted: with the reactor's 30 seconds, each ten minutes."""


class Sweeps:
    """One per executor."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._number = 0
        self._since = 0

    async def sweep(self) -> Swept:
        """Position first: what the tables learn after it is only looked at twice."""
        position = await self._log.pool.fetchval(load_sql(_PACKAGE, "sweep_position")) or 0
        since = self._since if self._number % _WHOLE else 0
        rows = await self._log.pool.fetch(load_sql(_PACKAGE, "sweep"), since)
        self._number, self._since = self._number + 1, position
        return Swept(position, tuple(row["stream"] for row in rows))
