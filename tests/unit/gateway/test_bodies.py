"""What is wrong with a body or a query string: all of it at once, where, and what would be right."""

from collections.abc import Sequence
from typing import Any, get_args

import pytest
from aiohttp.test_utils import make_mocked_request

from contracts import http as h
from contracts.http_calendar import CalendarQuery
from contracts.http_freezes import FreezeBody
from contracts.plan import Status
from contracts.refusals import Fault, Refused
from contracts.shape import MOST_FAULTS
from services.gateway.bodies import Body, Query


def asked(wanted: Any, query: str) -> dict[str, str]:
    """The faults of a query string, each parameter once."""
    with pytest.raises(Refused) as refused:
        Query(wanted).read(make_mocked_request("GET", f"/?{query}"))
    assert refused.value.code == "invalid_parameter"
    return told(refused.value.faults)


def sent(wanted: Any, body: bytes) -> dict[str, str]:
    """The faults of a body."""
    with pytest.raises(Refused) as refused:
        Body(wanted).read(body)
    return told(refused.value.faults)


def told(faults: Sequence[Fault]) -> dict[str, str]:
    found = {fault.path: fault.detail for fault in faults}
    assert len(found) == len(faults)
    return found


def test_a_status_that_does_not_exist_is_answered_with_those_that_do() -> None:
    detail = asked(h.PlanQuery, "status=nonsense")["status"]
    assert set(detail.removeprefix("must be one of ").split(", ")) == set(get_args(Status))


def test_a_time_that_is_none_is_answered_with_an_example() -> None:
    assert asked(CalendarQuery, "from=monday") == {"from": "is no time; write it like 2026-11-20T20:00:00+01:00"}


@pytest.mark.parametrize("text", ["2026", "1790000000", "2026.5", "0"])
def test_a_number_is_no_time(text: str) -> None:
    assert asked(CalendarQuery, f"from={text}") == {"from": "is no time; write it like 2026-11-20T20:00:00+01:00"}


def test_of_several_values_the_wrong_ones_are_counted() -> None:
    with pytest.raises(Refused) as refused:
        Query(h.PlanQuery).read(make_mocked_request("GET", "/?owner=user:ada,ben&owner=cat"))
    assert [(fault.path, fault.detail) for fault in refused.value.faults] == [
        ("owner", "value 2 must be user:NAME or group:NAME"),
        ("owner", "value 3 must be user:NAME or group:NAME"),
    ]


def test_all_faults_of_a_query_string_are_told_at_once_without_msgspecs_paths() -> None:
    found = asked(h.PlanQuery, "limit=many&status=nonsense&colour=red&window_to=soon&min_position=-1&cursor=a&cursor=b")
    assert found | {"status": ""} == {
        "limit": "must be a whole number",
        "status": "",
        "colour": "is not a known parameter",
        "window_to": "is no time; write it like 2026-11-20T20:00:00+01:00",
        "min_position": "must be 0 or more",
        "cursor": "is given more than once",
    }
    assert "$" not in str(found)


def test_a_pattern_is_explained_in_words() -> None:
    found = sent(h.UserBody, b'{"email": "olivia at home", "groups": ["a b"]}')
    assert found["/email"] == "must be an e-mail address such as olivia@example.com, or empty"
    assert found["/groups/0"].startswith("must be letters, digits, ")


def test_null_is_a_fault_where_a_text_belongs() -> None:
    assert sent(h.Reason, b'{"reason": null}') == {"/reason": "must be a text, not empty (null)"}


def test_a_body_that_may_have_more_fields_is_only_blamed_for_those_that_we_read() -> None:
    body = (
        b'{"more": 1, "hook_event": "finish_planning", "instance_code": "a", "release_plan_id": 1, "result": "success"}'
    )
    assert sent(h.Callback, body) == {"/release_plan_id": "must be a text, not a number"}


def test_a_wall_clock_time_with_an_offset_is_told_to_leave_it_out() -> None:
    found = sent(FreezeBody, b'{"start": "2026-11-20T18:00:00Z", "end": "tomorrow"}')
    assert found == {
        "/start": "must be a wall-clock time, without an offset; write it like 2026-11-20T20:00:00",
        "/end": "is no time; write it like 2026-11-20T20:00:00",
    }


@pytest.mark.parametrize("depth", [300, 700, 100_000])
def test_a_body_that_is_nested_deeply_is_refused_like_any_other(depth: int) -> None:
    deep = b'{"project": "web", "name": ' + b"[" * depth + b"]" * depth + b"}"
    with pytest.raises(Refused) as refused:
        Body(h.NewPlan).read(deep)
    assert refused.value.code in {"invalid_body", "malformed_body"}


def test_u0000_is_found_wherever_it_stands() -> None:
    found = sent(h.NewPlan, b'{"project": "web", "labels": ["a", "\\u0000"], "name": "\\u0000"}')
    assert list(found) == ["/labels/1", "/name"]


@pytest.mark.parametrize("body", [b"", b" \n"])
def test_who_sends_nothing_is_told_that_something_is_needed(body: bytes) -> None:
    with pytest.raises(Refused, match="There is no body"):
        Body(h.NewPlan).read(body)


def test_nobody_is_told_more_faults_than_somebody_reads() -> None:
    found = sent(h.NewPlan, b'{"project": "web", "labels": [' + b",".join([b"1"] * 1_000) + b"]}")
    assert len(found) == MOST_FAULTS
