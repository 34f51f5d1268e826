"""Rows that this process wrote last, so that they need not be read again for the next facts.

What the rows are at a position follows from the log alone, whoever wrote them. So they are known for as long as the facts
come without a gap; after one everything is forgotten, since another process may have folded those between. Deliveries that
have ended are not kept.
"""

from collections import OrderedDict
from collections.abc import Iterable

from contracts.endpoint_state import Endpoint
from contracts.envelope import Fact
from services.hook_dispatcher.views.rows import DeliveryRow

_REMEMBERED = 4_000


class Known:
    """`endpoints` are all there are, `None` where they are not known; of `deliveries` some are known."""

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._remembered = remembered
        self._position = -1
        self.endpoints: dict[str, Endpoint] | None = None
        self.deliveries: OrderedDict[str, DeliveryRow] = OrderedDict()

    def expect(self, facts: list[Fact]) -> None:
        """Forget everything unless these facts follow those that were kept last."""
        if facts[0].position != self._position + 1:
            self.endpoints = None
            self.deliveries.clear()

    def keep(self, facts: list[Fact], endpoints: dict[str, Endpoint] | None, written: Iterable[DeliveryRow]) -> None:
        """How the rows are after these facts. `endpoints` is `None` where they were not looked at."""
        self._position = facts[-1].position
        self.endpoints = self.endpoints if endpoints is None else endpoints
        for row in written:
            if row.state in {"delivered", "dead"}:
                self.deliveries.pop(row.id, None)
            else:
                self.deliveries[row.id] = row
                self.deliveries.move_to_end(row.id)
        while len(self.deliveries) > self._remembered:
            self.deliveries.popitem(last=False)
