"""What the operation record says of each kind of event: nothing that the event says is lost on the way."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contracts.delivery import EndpointPut
from contracts.envelope import Fact
from contracts.plan_events import Event
from contracts.public import PRIVATE
from contracts.record import Entry
from contracts.registry import EVENTS, encode
from services.audit.views import SILENT, entry

SAMPLES = Path(__file__).parents[3] / "contracts" / "samples"
TOLD_ELSEWHERE = {
    "content": "before and after",
    "changes": "before and after",
    "items": "before and after",
    "sections": "the versions of the plan",
    "workflows": "the seal of the plan",
    "runs": "`moved` of after",
    "definition": "the revision of the workflow",
    "template": "the revision of the template",
    "restored": "the detail, as the version",
}
PLAN_LIKE = {"plan", "item", "gate"}


def fact_of(name: str, payload: bytes) -> Fact:
    kind = name.split(".")[0]
    stream = f"{'plan' if kind in PLAN_LIKE else kind}-{'a' * 24}"
    return Fact(1, stream, 1, name, 1, 1, "user:olivia", "http", "k", 0, None, "", payload, b"")


def texts(value: Any) -> Iterable[str]:
    """Every text and number in a value."""
    match value:
        case dict():
            for one in value.values():
                yield from texts(one)
        case list():
            for one in value:
                yield from texts(one)
        case None | bool():
            return
        case _:
            yield str(value)


@pytest.mark.parametrize("name", sorted(set(EVENTS) - SILENT))
def test_whatever_an_event_says_openly_stands_in_its_entry(name: str) -> None:
    payload = (SAMPLES / f"{name}.json").read_bytes()
    made = entry(fact_of(name, payload))
    assert made is not None
    told = " ".join(texts(msgspec.to_builtins(made)))
    private = PRIVATE.get(name, frozenset())
    for field, value in msgspec.json.decode(payload).items():
        if field in private:
            assert field not in made.said
        elif field not in TOLD_ELSEWHERE:
            lost = [one for one in texts(value) if one not in told]
            assert not lost, f"{field} is in no part of the entry: {lost}"


def test_of_a_long_list_the_beginning_is_told_and_how_many_there_are() -> None:
    payload = msgspec.json.encode({"open": [f"i{n}" for n in range(300)], "reason": "window_end"})
    made = entry(fact_of("plan.timed_out.v1", payload))
    assert made is not None
    assert (len(made.said["open"]), made.said["open in all"]) == (20, 300)


def said_anew(event: Event, earlier: Event | None) -> Entry:
    made = entry(fact_of(*encode(event)), earlier=None if earlier is None else encode(earlier)[1])
    assert made is not None
    return made


def test_a_thing_that_is_said_anew_is_told_as_it_was_and_is() -> None:
    old = EndpointPut(url="https://a.example.com/", events=("plan.*",), secret_ref="one", enabled=True)
    new = EndpointPut(url="https://b.example.com/", events=("plan.*",), secret_ref="two", enabled=True)
    made = said_anew(new, old)
    assert (made.before, made.after) == ({"url": "https://a.example.com/"}, {"url": "https://b.example.com/"})
    first = said_anew(old, None)
    assert (first.before, first.after, first.said["url"]) == ({}, {}, "https://a.example.com/")
