"""What the operation record calls that which belongs to no plan, and what it says became of it."""

import msgspec

from contracts.delivery import EndpointPut
from contracts.endpoint import EndpointDisabled
from contracts.envelope import Fact
from contracts.freeze import Freeze, FreezeDeleted, FreezePut
from contracts.people import DelegationGiven
from contracts.plan_events import Event
from contracts.record import Entry
from contracts.template import Template, TemplateRevised
from services.audit.views import entry, name_in
from tests.support.builders import facts


def fact(stream: str, event: Event) -> Fact:
    return facts(event, stream=stream)[0]


def told(stream: str, event: Event, name: str = "") -> Entry:
    made = entry(fact(stream, event), name=name)
    assert made is not None
    return made


FREEZE = FreezePut(Freeze(name="weekend", start="2026-11-20T18:00:00", end="2026-11-23T06:00:00"))


def test_a_freeze_is_called_by_its_name_and_told_as_it_was_put() -> None:
    made = told("freeze-ab", FREEZE)
    assert (made.verb, made.target) == ("put freeze", "freeze weekend")
    assert made.said["freeze"]["end"] == "2026-11-23T06:00:00"


def test_what_does_not_say_its_name_is_called_as_its_first_event_did() -> None:
    first = fact("freeze-ab", FREEZE)
    gone = told("freeze-ab", FreezeDeleted(reason="over"), name_in(first.type, first.payload))
    assert (gone.verb, gone.target, gone.detail) == ("delete freeze", "freeze weekend", "over")
    assert told("endpoint-ab", EndpointDisabled()).target == "endpoint-ab"


def test_an_endpoint_is_told_without_the_place_of_its_secret() -> None:
    made = told(
        "endpoint-ab", EndpointPut(url="https://a.example/", secret_ref="hidden", events=("plan.*",), name="ci")
    )
    assert made.target == "endpoint ci"
    assert made.said["url"] == "https://a.example/"
    assert "hidden" not in msgspec.json.encode(made).decode()


def test_a_revision_is_told_by_its_number_and_not_whole() -> None:
    made = told("template-ab", TemplateRevised("web", 3, Template(plan={"name": "T"})))
    assert (made.target, made.said) == ("template web", {"name": "web", "revision": 3})


def test_who_may_vote_in_whose_place_is_named() -> None:
    assert told("delegation-ab", DelegationGiven("user:ben", 0)).target == "user:ben"
