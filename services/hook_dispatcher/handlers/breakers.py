"""A breaker per receiving host: after failures in a row nothing goes there for a while, then one attempt finds out.

What is held back keeps its attempts: it waits as it is. Nothing here is in the log; a dispatcher that starts anew finds out
again. Times are Unix microseconds, given by the caller.
"""

from collections import OrderedDict
from urllib.parse import urlsplit

from services.hook_dispatcher.decider.deliveries import Sent

_SECOND = 1_000_000
_LONGEST_SECONDS = 60.0
_REMEMBERED = 10_000
_FAILING = frozenset({"timeout", "refused", "name", "connection", "tls"})


class _Circuit:
    """How a host has done of late."""

    __slots__ = ("failures", "open_until", "opened", "probe_until")

    def __init__(self) -> None:
        self.failures = 0
        self.opened = 0
        self.open_until = 0
        self.probe_until = 0


class Breakers:
    """`failures` in a row open a breaker for `seconds`, twice as long each time, a minute at most; 0 turns them off."""

    def __init__(self, *, failures: int = 5, seconds: float = 5.0, probe_seconds: float = 20.0) -> None:
        self._failures = failures
        self._seconds = seconds
        self._probe_seconds = probe_seconds
        self._hosts: OrderedDict[str, _Circuit] = OrderedDict()

    def held_until(self, host: str, now: int) -> int:
        """When to ask again; 0: nothing holds it back. Asking changes nothing."""
        circuit = self._hosts.get(host)
        if circuit is None:
            return 0
        if circuit.open_until > now:
            return circuit.open_until
        return circuit.probe_until if circuit.opened and circuit.probe_until > now else 0

    def enter(self, host: str, now: int) -> None:
        """An attempt begins. Where the breaker was open it is the one that finds out."""
        circuit = self._hosts.get(host)
        if circuit is not None and circuit.opened:
            circuit.probe_until = now + int(self._probe_seconds * _SECOND)

    def heard(self, host: str, sent: Sent, now: int) -> bool:
        """An attempt ended. True when the host is well again after its breaker was open."""
        if not _failed(sent):
            before = self._hosts.pop(host, None)
            return before is not None and before.opened > 0
        circuit = self._hosts.setdefault(host, _Circuit())
        self._hosts.move_to_end(host)
        while len(self._hosts) > _REMEMBERED:
            self._hosts.popitem(last=False)
        circuit.failures += 1
        circuit.probe_until = 0
        if self._failures and circuit.failures >= self._failures:
            pause = min(self._seconds * 2 ** min(circuit.opened, 16), _LONGEST_SECONDS)
            circuit.opened += 1
            circuit.open_until = now + int(pause * _SECOND)
        if sent.retry_after_seconds:  # who asks us to wait asks for all that goes there
            asked = now + int(min(sent.retry_after_seconds, _LONGEST_SECONDS) * _SECOND)
            circuit.open_until = max(circuit.open_until, asked)
        return False


def host_of(url: str) -> str:
    """What a breaker is for: scheme, name and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _failed(sent: Sent) -> bool:
    """An answer that says no to this hook says that the host is well."""
    if sent.status is not None:
        return sent.status == 429 or sent.status >= 500
    return sent.error in _FAILING


class Rates:
    """At most so many attempts a minute to one endpoint, evenly: a bucket that holds a second's worth, one at least."""

    def __init__(self) -> None:
        self._next: OrderedDict[str, int] = OrderedDict()

    def free_at(self, endpoint: str, per_minute: int, now: int) -> int:
        """0: one may go; else when. Asking changes nothing."""
        if per_minute <= 0:
            return 0
        free_at = self._next.get(endpoint, 0)
        return free_at if free_at > now else 0

    def count(self, endpoint: str, per_minute: int, now: int) -> None:
        """One goes. What was not used of the last second may be used at once."""
        if per_minute <= 0:
            return
        step = 60 * _SECOND // per_minute
        self._next[endpoint] = max(self._next.get(endpoint, 0), min(now, now - _SECOND + step)) + step
        self._next.move_to_end(endpoint)
        while len(self._next) > _REMEMBERED:
            self._next.popitem(last=False)
