"""Rows are known without reading them only while the facts come without a gap."""

from contracts.endpoint_state import Endpoint
from contracts.envelope import Fact
from contracts.plan_events import ItemsSettled
from services.hook_dispatcher.projections.known import Known
from services.hook_dispatcher.views.hooks import Raised
from services.hook_dispatcher.views.rows import DeliveryRow, RowState, due_row
from tests.support.builders import facts

FACTS = facts(*[ItemsSettled()] * 10)


def row(one: str, state: RowState = "due") -> DeliveryRow:
    found = due_row(one, "e", Raised("finish_planning", 0), FACTS[0], "p")
    return DeliveryRow(**{**{name: getattr(found, name) for name in found.__struct_fields__}, "state": state})


def known_after(*some: Fact) -> Known:
    known = Known(remembered=2)
    known.expect(list(some))
    known.keep(list(some), {"e": Endpoint(**ENDPOINT)}, [row("a"), row("b", "sending")])
    return known


ENDPOINT = {
    "id": "e",
    "url": "http://e.org/",
    "secret_ref": "",
    "events": (),
    "enabled": True,
    "version": 1,
    "position": 1,
}


def test_what_was_written_is_known_for_the_facts_that_follow() -> None:
    known = known_after(*FACTS[:3])
    known.expect(FACTS[3:5])
    assert known.endpoints is not None
    assert {one.state for one in known.deliveries.values()} == {"due", "sending"}


def test_after_a_gap_nothing_is_known() -> None:
    known = known_after(*FACTS[:3])
    known.expect(FACTS[4:5])
    assert known.endpoints is None
    assert not known.deliveries


def test_facts_that_come_again_since_they_were_not_stored_find_nothing_known() -> None:
    known = known_after(*FACTS[:3])
    known.expect(FACTS[:3])
    assert known.endpoints is None
    assert not known.deliveries


def test_facts_that_were_not_kept_and_were_folded_by_another_are_a_gap() -> None:
    known = known_after(*FACTS[:3])
    known.expect(FACTS[3:5])  # and folding them fails
    known.expect(FACTS[5:7])
    assert known.endpoints is None
    assert not known.deliveries


def test_deliveries_that_have_ended_are_not_kept_and_of_the_others_only_so_many() -> None:
    known = known_after(*FACTS[:3])
    known.keep(FACTS[3:4], None, [row("a", "delivered"), row("c"), row("d")])
    assert set(known.deliveries) == {"c", "d"}
    assert known.endpoints is not None
