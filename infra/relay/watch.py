"""One connection to the database that rings when the log grows, and holds the lock by which one relay of several leads.

Both are conveniences: without rings the relay polls, and two relays cannot interleave anyway, they only quarrel. A
listening connection dies without a word, so it is asked now and then and made anew.
"""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import asyncpg
import structlog

from infra.postgres import CONNECT_SECONDS, load_sql
from infra.tail import Wake, database_away

if TYPE_CHECKING:
    from infra.postgres import AnyConnection

log = structlog.get_logger()

_CHANNEL = "gonogo_log"
_LOCK = 7165066907192
_PAUSE_SECONDS = 0.5
_ASK_SECONDS = 2.0


class LogWatch:
    """Rings `wake` at every append; `leading` is set while this process holds the relay's lock.

    `connected` says whether the database is reached.
    """

    def __init__(self, dsn: str, wake: Wake, leading: asyncio.Event) -> None:
        self._dsn = dsn
        self._wake = wake
        self._leading = leading
        self._try_lock = load_sql("infra", "relay_lock")
        self._away = False
        self.connected = False

    async def run(self) -> None:
        """Watch until cancelled; connect again for ever."""
        while True:
            try:
                await self._watch()
            except Exception as error:
                if not database_away(error):
                    raise
                if not self._away:
                    log.warning("log_watch_lost", error=repr(error))
                self._away = True
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _watch(self) -> None:
        lost = asyncio.Event()
        connection = await asyncpg.connect(
            self._dsn, timeout=CONNECT_SECONDS, server_settings={"application_name": "gonogo relay watch"}
        )
        try:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(_CHANNEL, self._on_notice)
            self._wake.set()  # for whatever was appended while nobody listened
            if self._away:
                log.info("log_watch_back")
            self._away = False
            self.connected = True
            await self._hold(connection, lost)
        finally:
            self.connected = False
            self._leading.clear()
            with suppress(Exception):
                await connection.close(timeout=1)

    async def _hold(self, connection: "AnyConnection", lost: asyncio.Event) -> None:
        """Try for the lock, then keep it, asking the server at a fixed pace whether the connection lives."""
        while not lost.is_set():
            leading = await connection.fetchval(self._try_lock, _LOCK, timeout=_ASK_SECONDS)
            if leading and not self._leading.is_set():
                log.info("relay_leads")
                self._leading.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(_ASK_SECONDS if leading else _PAUSE_SECONDS):
                    await lost.wait()
        raise ConnectionResetError("the listening connection ended")

    def _on_notice(self, *_: object) -> None:
        self._wake.set()
