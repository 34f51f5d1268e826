"""The addresses of events and commands, and the names that must never become one."""

import pytest

from contracts import subjects


@pytest.mark.parametrize(
    ("stream", "type_", "subject"),
    [
        (
            "plan-68b7ec363306e52e21b2dbe6",
            "plan.sealed.v1",
            "gonogo.v1.evt.plan.68b7ec363306e52e21b2dbe6.plan.sealed.v1",
        ),
        ("run-0a", "run.step_started.v2", "gonogo.v1.evt.run.0a.run.step_started.v2"),
        ("delivery-ff", "delivery.created.v1", "gonogo.v1.evt.delivery.ff.delivery.created.v1"),
    ],
)
def test_an_event_travels_on_the_subject_of_its_stream_and_type(stream: str, type_: str, subject: str) -> None:
    assert subjects.event_subject(stream, type_) == subject
    assert subject.startswith(subjects.EVENTS.removesuffix(">"))


@pytest.mark.parametrize(
    ("type_", "category"),
    [
        ("plan.sealed.v1", "plan"),
        ("item.finished.v1", "plan"),
        ("gate.passed.v1", "plan"),
        ("run.step_started.v1", "run"),
        ("callback.refused.v1", "callback"),
    ],
)
def test_what_happens_to_items_and_gates_stands_in_the_stream_of_their_plan(type_: str, category: str) -> None:
    assert subjects.category_of(type_) == category


@pytest.mark.parametrize(
    "stream",
    [
        "",
        "plan",
        "plan-",
        "-0a",
        "plan-0a.0b",
        "plan-*",
        "plan->",
        "plan-0a 0b",
        "plan-0a\r\n",
        "pl.an-0a",
        "Plan-0a",
        "plan-xyz",
    ],
)
def test_a_stream_name_that_would_change_the_address_is_refused(stream: str) -> None:
    with pytest.raises(ValueError, match="stream name"):
        subjects.event_subject(stream, "plan.sealed.v1")
    with pytest.raises(ValueError, match="stream name"):
        subjects.events_of_stream(stream)


@pytest.mark.parametrize(
    "type_", ["", "plan..v1", ".v1", "plan.", "plan.*", "plan.>", "plan sealed", "plan\n.v1", "Plan.v1"]
)
def test_an_event_type_that_would_change_the_address_is_refused(type_: str) -> None:
    with pytest.raises(ValueError, match="event type"):
        subjects.event_subject("plan-0a", type_)


def test_a_service_takes_commands_on_its_own_subject() -> None:
    assert subjects.command_subject("hook_dispatcher") == "gonogo.v1.cmd.hook_dispatcher"


@pytest.mark.parametrize("service", ["", "a.b", "*", ">", "Planner", "pla nner", "planner\n"])
def test_a_service_name_that_would_change_the_address_is_refused(service: str) -> None:
    with pytest.raises(ValueError, match="service name"):
        subjects.command_subject(service)


def test_the_patterns_of_streams_and_categories_stay_within_the_events() -> None:
    assert subjects.events_of_stream("plan-0a") == "gonogo.v1.evt.plan.0a.>"
    assert subjects.events_of_category("plan") == "gonogo.v1.evt.plan.>"


@pytest.mark.parametrize("category", ["", "*", "plan.*", "plan-0a"])
def test_a_category_that_is_no_token_is_refused(category: str) -> None:
    with pytest.raises(ValueError, match="category"):
        subjects.events_of_category(category)
