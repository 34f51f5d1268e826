"""The rules of deliveries and endpoints, given / when / then."""

from typing import Any

import pytest
from msgspec.structs import replace

from contracts.commands import PutEndpoint
from contracts.delivery import (
    DeliveryAttempted,
    DeliveryCreated,
    DeliveryDied,
    DeliveryError,
    DeliveryFailed,
    DeliveryResent,
    DeliverySucceeded,
    EndpointPut,
)
from contracts.endpoint import (
    EndpointChallenged,
    EndpointDisabled,
    EndpointEnabled,
    EndpointRotated,
    EndpointTested,
    EndpointVerified,
)
from contracts.endpoint_state import Endpoint, fold_endpoint
from contracts.hook_commands import DisableEndpoint, EnableEndpoint, RotateEndpoint
from contracts.plan_events import Event
from services.hook_dispatcher.adapters import echoes
from services.hook_dispatcher.decider import deliveries, endpoints
from services.hook_dispatcher.decider.deliveries import Patience, Sent, next_step
from services.hook_dispatcher.views.delivery import Delivery, fold_delivery
from tests.support.builders import ADA, MALLORY, NOON, OLIVIA, PLAN, created, facts, plan_after
from tests.support.spec import given

SECOND = 1_000_000
CREATED = DeliveryCreated(
    plan=PLAN, event="all_job_done", round=1, endpoint="e" * 24, raised_by=9, size=2, sha256="0" * 64
)
PATIENCE = Patience(schedule_seconds=(0, 10, 100), budget_seconds=1_000, jitter=0.5)
PLAN_STATE = plan_after(created())


def delivery(*events: Event) -> Delivery:
    state = fold_delivery(facts(CREATED, *events, stream="delivery-" + "f" * 24))
    assert state is not None
    return state


def attempted(number: int, until: int = NOON) -> DeliveryAttempted:
    return DeliveryAttempted(attempt=number, until=until)


def failed(number: int, next_at: int = NOON, error: DeliveryError = "status") -> DeliveryFailed:
    return DeliveryFailed(attempt=number, error=error, status=500, next_at=next_at)


def outcome(sent: Sent, chance: float = 0.5, patience: Patience = PATIENCE) -> Any:
    return lambda state: deliveries.outcome(state, sent, NOON, chance, patience)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_is_success(status: int) -> None:
    given(delivery(attempted(1))).when(outcome(Sent(status=status, latency_ms=7))).then(
        DeliverySucceeded(attempt=1, status=status, latency_ms=7)
    )


@pytest.mark.parametrize("status", [199, 301, 302, 307, 400, 404, 429, 500, 503])
def test_anything_else_is_failure_and_tried_again_by_the_schedule(status: int) -> None:
    given(delivery(attempted(1))).when(outcome(Sent(status=status))).then(
        DeliveryFailed(attempt=1, error="status", status=status, next_at=NOON + 10 * SECOND)
    )


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 5), (0.5, 10), (1.0, 15)])
def test_chance_moves_the_next_try_both_ways(chance: float, seconds: int) -> None:
    (event,) = deliveries.outcome(delivery(attempted(1)), Sent(status=500), NOON, chance, PATIENCE)
    assert isinstance(event, DeliveryFailed)
    assert event.next_at == NOON + seconds * SECOND


def test_the_next_try_is_never_sooner_than_the_receiver_asked() -> None:
    given(delivery(attempted(1))).when(outcome(Sent(status=429, retry_after_seconds=60))).then(
        DeliveryFailed(attempt=1, error="status", status=429, next_at=NOON + 60 * SECOND)
    )
    given(delivery(attempted(1))).when(outcome(Sent(status=429, retry_after_seconds=1))).then(
        DeliveryFailed(attempt=1, error="status", status=429, next_at=NOON + 10 * SECOND)
    )


def test_it_dies_when_the_schedule_is_at_its_end() -> None:
    state = delivery(attempted(1), failed(1), attempted(2), failed(2), attempted(3))
    given(state).when(outcome(Sent(status=500))).then(
        DeliveryFailed(attempt=3, error="status", status=500), DeliveryDied(reason="3 tries have failed")
    )


def test_it_dies_when_the_next_try_would_be_outside_the_budget() -> None:
    events = deliveries.outcome(
        delivery(attempted(1)), Sent(status=503, retry_after_seconds=2_000), NOON, 0.5, PATIENCE
    )
    assert isinstance(events[-1], DeliveryDied)
    assert "1000 s" in events[-1].reason


def test_it_dies_at_once_when_the_receiver_is_gone() -> None:
    given(delivery(attempted(1))).when(outcome(Sent(status=410))).then(
        DeliveryFailed(attempt=1, error="status", status=410),
        DeliveryDied(reason="the receiver says that it is gone (410)"),
    )


def test_the_default_schedule_fills_its_three_days() -> None:
    """The budget ends the tries, never the schedule: else a receiver that comes back on the third day finds nothing."""
    patience = Patience()
    assert sum(patience.schedule_seconds) * (1 - patience.jitter) > patience.budget_seconds == 259_200


@pytest.mark.parametrize(
    ("events", "now", "step"),
    [
        ((), NOON, "try"),
        ((attempted(1, NOON + 1),), NOON, "wait"),
        ((attempted(1, NOON),), NOON, "interrupted"),
        ((attempted(1), failed(1, NOON + 1)), NOON, "wait"),
        ((attempted(1), failed(1, NOON)), NOON, "try"),
        ((attempted(1), DeliverySucceeded(attempt=1, status=200, latency_ms=1)), NOON, "nothing"),
        ((attempted(1), failed(1, 0), DeliveryDied(reason="x")), NOON, "nothing"),
        ((attempted(1), failed(1, 0), DeliveryDied(reason="x"), DeliveryResent()), NOON, "try"),
    ],
)
def test_what_is_to_be_done_follows_from_the_state(events: tuple[Event, ...], now: int, step: str) -> None:
    assert next_step(delivery(*events), now) == step


def test_an_interrupted_attempt_is_made_again_at_once() -> None:
    (event,) = deliveries.interrupted(delivery(attempted(1)), NOON, PATIENCE)
    assert isinstance(event, DeliveryFailed)
    assert (event.error, event.next_at) == ("interrupted", NOON)


def test_a_receiver_that_kills_its_sender_is_not_tried_for_ever() -> None:
    state = delivery(attempted(1), failed(1), attempted(2), failed(2), attempted(3))
    assert isinstance(deliveries.interrupted(state, NOON, PATIENCE)[-1], DeliveryDied)


def test_resending_gives_new_tries_and_keeps_the_numbers_of_the_attempts() -> None:
    dead = delivery(attempted(1), failed(1, 0), DeliveryDied(reason="x"))
    given(dead).when(lambda state: deliveries.resend(state, PLAN_STATE, OLIVIA)).then(DeliveryResent())
    again = delivery(attempted(1), failed(1, 0), DeliveryDied(reason="x"), DeliveryResent())
    assert (again.state, again.tries, again.attempts) == ("pending", 0, 1)
    given(again).when(lambda state: deliveries.attempt(state, NOON + 5)).then(attempted(2, NOON + 5))


def test_what_is_on_its_way_is_not_sent_twice_at_once() -> None:
    given(delivery()).when(lambda state: deliveries.resend(state, PLAN_STATE, ADA)).then_nothing()
    given(delivery(attempted(1))).when(lambda state: deliveries.resend(state, PLAN_STATE, ADA)).then_nothing()


def test_only_who_moves_the_plan_resends_its_hooks() -> None:
    given(delivery()).when(lambda state: deliveries.resend(state, PLAN_STATE, MALLORY)).refused("forbidden")
    given(None).when(lambda state: deliveries.resend(state, None, ADA)).refused("delivery_not_found")


# Endpoints


def putting(**fields: Any) -> PutEndpoint:
    return PutEndpoint(
        **{"endpoint": "e" * 24, "url": "https://e.org/h?x=1", "secret_ref": "endpoint/e", "name": "board", **fields}
    )


PUT = EndpointPut(
    name="board",
    url="https://e.org/h?x=1",
    secret_ref="endpoint/e",
    events=("finish_planning", "start_execute", "all_job_done"),
)


def endpoint(*events: Event) -> Endpoint:
    state = fold_endpoint(facts(*events, stream="endpoint-" + "e" * 24))
    assert state is not None
    return state


def test_an_administrator_puts_an_endpoint_and_again_changes_nothing() -> None:
    given(None).when(lambda before: endpoints.put(before, putting(), ADA, "c")).then(PUT)
    given(endpoint(PUT)).when(lambda before: endpoints.put(before, putting(), ADA, "c")).then_nothing()


def test_nobody_else_puts_an_endpoint() -> None:
    given(None).when(lambda before: endpoints.put(before, putting(), OLIVIA, "c")).refused("forbidden")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://e.org/x",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "https://user:word@e.org/",
        "https://user@e.org/",
        "https://e.org/#part",
        "https://e.org:0/",
        "https://e.org:99999/",
        "https://[::1/",
        "https://e.org/ü",
        "https://e.org/a b",
        "javascript:alert(1)",
    ],
)
def test_an_address_that_hooks_cannot_go_to_is_refused_with_its_path(url: str) -> None:
    refusal = (
        given(None).when(lambda before: endpoints.put(before, putting(url=url), ADA, "c")).refused("invalid_endpoint")
    )
    assert {fault.path for fault in refusal.faults} == {"/url"}


def test_all_faults_of_an_endpoint_are_told_at_once() -> None:
    wrong = putting(url="ftp://a:b@e.org/", events=(), secret_ref="../x y")
    refusal = given(None).when(lambda before: endpoints.put(before, wrong, ADA, "c")).refused("invalid_endpoint")
    assert [fault.path for fault in refusal.faults] == ["/url", "/url", "/events", "/secret_ref"]


def patterned(*events: str, **fields: Any) -> PutEndpoint:
    return putting(**{"events": events, "format": "standard", **fields})


def test_patterns_are_kept_once_each_where_the_form_can_carry_events() -> None:
    (event,) = endpoints.put(None, patterned("plan.*", "start_execute", "plan.*"), ADA, "c")
    assert isinstance(event, EndpointPut)
    assert event.events == ("plan.*", "start_execute")


@pytest.mark.parametrize(
    ("command", "paths"),
    [
        (patterned("plan.seald"), {"/events/0"}),
        (patterned("plan.*", "Plan.x", "endpoint.put.v1"), {"/events/1", "/events/2"}),
        (patterned("plan.*", format="zadig"), {"/events/0"}),
        (patterned("plan.*", plan="x"), {"/plan"}),
        (patterned("plan.*", plan=PLAN, project="web"), {"/plan"}),
        (patterned("plan.*", concurrency=0, rate_per_minute=-1), {"/concurrency", "/rate_per_minute"}),
        (patterned(*(["plan.*"] * 51)), {"/events"}),
    ],
)
def test_what_an_endpoint_cannot_be_is_told_with_its_path(command: PutEndpoint, paths: set[str]) -> None:
    refusal = given(None).when(lambda before: endpoints.put(before, command, ADA, "c")).refused("invalid_endpoint")
    assert {fault.path for fault in refusal.faults} == paths


def test_an_address_that_must_be_verified_is_challenged_once_and_again_when_it_moves() -> None:
    first = endpoints.put(None, putting(verify=True), ADA, "c1")
    assert first[1:] == (EndpointChallenged(challenge="c1"),)
    verified = endpoint(*first, EndpointVerified())
    assert verified.active
    given(verified).when(lambda now: endpoints.put(now, putting(verify=True, ordered=True), ADA, "c2")).then(
        replace(first[0], ordered=True)
    )
    moved = endpoints.put(verified, putting(verify=True, url="https://other.org/"), ADA, "c3")
    assert moved[1:] == (EndpointChallenged(challenge="c3"),)
    assert not endpoint(*first, EndpointVerified(), *moved).active


def test_a_rotation_keeps_the_secret_before_until_its_overlap_is_over() -> None:
    command = RotateEndpoint(endpoint="e" * 24, secret_ref="endpoint/e/2", overlap_seconds=60)
    given(endpoint(PUT)).when(lambda now: endpoints.rotate(now, command, ADA, NOON)).then(
        EndpointRotated(secret_ref="endpoint/e/2", previous_until=NOON + 60 * SECOND)
    )
    rotated = endpoint(PUT, EndpointRotated(secret_ref="endpoint/e/2", previous_until=9))
    assert (rotated.secret_ref, rotated.previous_ref, rotated.previous_until) == ("endpoint/e/2", "endpoint/e", 9)
    given(rotated).when(lambda now: endpoints.rotate(now, command, ADA, NOON)).then_nothing()
    given(None).when(lambda now: endpoints.rotate(now, command, ADA, NOON)).refused("endpoint_not_found")
    given(endpoint(PUT)).when(lambda now: endpoints.rotate(now, command, OLIVIA, NOON)).refused("forbidden")


def test_a_switch_is_turned_once_and_a_test_needs_it_on() -> None:
    off, on = DisableEndpoint(endpoint="e" * 24, reason="moving"), EnableEndpoint(endpoint="e" * 24)
    given(endpoint(PUT)).when(lambda now: endpoints.disable(now, off, ADA)).then(EndpointDisabled(reason="moving"))
    switched_off = endpoint(PUT, EndpointDisabled(reason="moving"))
    given(switched_off).when(lambda now: endpoints.disable(now, off, ADA)).then_nothing()
    given(switched_off).when(lambda now: endpoints.enable(now, on, ADA, "c")).then(EndpointEnabled())
    given(endpoint(PUT)).when(lambda now: endpoints.enable(now, on, ADA, "c")).then_nothing()
    given(endpoint(PUT)).when(lambda now: endpoints.send_test(now, ADA)).then(EndpointTested())
    given(switched_off).when(lambda now: endpoints.send_test(now, ADA)).refused("endpoint_disabled")


def test_a_hook_that_a_breaker_holds_back_keeps_its_tries_and_dies_with_its_time() -> None:
    held = delivery(attempted(1), failed(1))
    assert deliveries.held_back(held, NOON + 1_000 * SECOND, PATIENCE) == ()
    (died,) = deliveries.held_back(held, NOON + 1_001 * SECOND, PATIENCE)
    assert isinstance(died, DeliveryDied)


def test_the_answer_to_a_challenge_must_repeat_it() -> None:
    for text in ("abc", " abc\n", '{"challenge": "abc", "more": 1}'):
        assert echoes(text, "abc")
    for text in ("", "ab", '"abc"', "[]", '{"challenge": 1}', "{"):
        assert not echoes(text, "abc")
    given(delivery(attempted(1))).when(outcome(Sent(status=200, error="challenge"))).then(
        DeliveryFailed(attempt=1, error="challenge", status=200, next_at=NOON + 10 * SECOND)
    )
