"""Looking again later: at a time, or when an endpoint has room. Both only wake; the state says what is to be done."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

Wake = Callable[[str], None]
"""Has a stream looked at."""


class Alarms:
    """Wakes streams after some seconds. What is further off than a sweep is left to the sweep, which costs no memory."""

    def __init__(self, wake: Wake, *, farthest_seconds: float) -> None:
        self._wake = wake
        self._farthest_seconds = farthest_seconds
        self._set: dict[str, asyncio.TimerHandle] = {}

    def set(self, stream: str, seconds: float) -> None:
        """Wake this stream then; an earlier alarm of its is forgotten."""
        self._forget(stream)
        if seconds <= self._farthest_seconds:
            loop = asyncio.get_running_loop()
            self._set[stream] = loop.call_later(max(seconds, 0.001), self._ring, stream)

    def close(self) -> None:
        for stream in list(self._set):
            self._forget(stream)

    def _ring(self, stream: str) -> None:
        del self._set[stream]
        self._wake(stream)

    def _forget(self, stream: str) -> None:
        handle = self._set.pop(stream, None)
        if handle is not None:
            handle.cancel()


class Place:
    """A place in the line for a turn. It can be given up once; after that nothing happens."""

    def __init__(self, line: asyncio.Semaphore) -> None:
        self._line: asyncio.Semaphore | None = line

    def give_up(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.release()


class Turns:
    """So many at once in all. Who is slow stops counting after `slow_seconds`, so that many who hang hold up nobody else.

    In front of them a line, `line` places for each turn, for what is to be done just before one's turn. With the slow
    ones and those in the line it is `most` for each turn, never more: that bounds sockets and bodies in memory.
    """

    def __init__(self, count: int, *, slow_seconds: float = 0.1, line: int = 2, most: int = 8) -> None:
        self._free = asyncio.Semaphore(count)
        self._line = asyncio.Semaphore(count * line)
        self._in_all = asyncio.Semaphore(count * most)
        self._slow_seconds = slow_seconds

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Place]:
        """Waits for a place in the line, and for room in all, which is kept until the end. Nobody who has both waits long
        for a turn: those before are over, or slow, in a moment."""
        await self._line.acquire()
        place = Place(self._line)
        try:
            async with self._in_all:
                yield place
        finally:
            place.give_up()

    @asynccontextmanager
    async def one(self, place: Place) -> AsyncIterator[None]:
        """Waits for a turn, and gives up the place in the line for it."""
        await self._free.acquire()
        place.give_up()
        turn = Place(self._free)
        slow = asyncio.get_running_loop().call_later(self._slow_seconds, turn.give_up)
        try:
            yield
        finally:
            slow.cancel()
            turn.give_up()


class Lanes:
    """At most so many attempts at once per endpoint, so that one that hangs does not hold up the others.

    Who finds no room waits here and is woken; of one endpoint `most_waiting` at most, the sweep finds the others.
    """

    def __init__(self, wake: Wake, *, width: int = 4, most_waiting: int = 1_000) -> None:
        self._wake = wake
        self._width = width
        self._most_waiting = most_waiting
        self._widths: dict[str, int] = {}
        self._busy: dict[str, int] = {}
        self._waiting: dict[str, OrderedDict[str, None]] = {}
        self._streams: set[str] = set()

    def enter(self, endpoint: str, stream: str, width: int = 0) -> bool:
        """Whether there is room, `width` (0: the usual) at once. If not, the stream is woken when there may be."""
        self._widths[endpoint] = width or self._width
        if not self._room(endpoint):
            self._wait(endpoint, stream)
            return False
        self._busy[endpoint] = self._busy.get(endpoint, 0) + 1
        self._not_waiting(endpoint, stream)
        return True

    def hold(self, endpoint: str, stream: str, alarm: Wake) -> None:
        """Wait though there may be room. `alarm` is set for the first that waits: it goes, or finds out, for all of them."""
        self._wait(endpoint, stream)
        alarm(next(iter(self._waiting[endpoint]), stream))

    def leave(self, endpoint: str) -> None:
        """There is room for one more."""
        self._busy[endpoint] -= 1
        if not self._busy[endpoint]:
            del self._busy[endpoint]
        self.pass_on(endpoint)
        if endpoint not in self._busy and endpoint not in self._waiting:
            self._widths.pop(endpoint, None)

    def pass_on(self, endpoint: str) -> None:
        """Wake the next that waits, if there is room. Also for who was woken and has nothing to do: else a wake is lost."""
        waiting = self._waiting.get(endpoint)
        if waiting and self._room(endpoint):
            stream = next(iter(waiting))
            self._not_waiting(endpoint, stream)
            self._wake(stream)

    def reopen(self, endpoint: str) -> None:
        """What held all of them back is over: wake as many as there is room for."""
        for _ in range(self._widths.get(endpoint, self._width) - self._busy.get(endpoint, 0)):
            self.pass_on(endpoint)

    def waits(self, stream: str) -> bool:
        """Whether this stream waits here, so that nobody else need wake it."""
        return stream in self._streams

    def _room(self, endpoint: str) -> bool:
        return self._busy.get(endpoint, 0) < self._widths.get(endpoint, self._width)

    def _wait(self, endpoint: str, stream: str) -> None:
        waiting = self._waiting.setdefault(endpoint, OrderedDict())
        if len(waiting) < self._most_waiting:
            waiting[stream] = None
            self._streams.add(stream)

    def _not_waiting(self, endpoint: str, stream: str) -> None:
        waiting = self._waiting.get(endpoint)
        if waiting is not None:
            waiting.pop(stream, None)
            self._streams.discard(stream)
            if not waiting:
                del self._waiting[endpoint]
