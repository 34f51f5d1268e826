"""Headers, classes of failure, alarms and lanes, and that a row of the table says what the fold says."""

import asyncio

import pytest
from aiohttp import ClientConnectionError, ClientConnectorError, ServerTimeoutError
from aiohttp.client_reqrep import ConnectionKey
from hypothesis import given
from hypothesis import strategies as st

from contracts.delivery import (
    DeliveryAttempted,
    DeliveryCreated,
    DeliveryDied,
    DeliveryFailed,
    DeliveryResent,
    DeliverySucceeded,
)
from contracts.plan_events import Event
from contracts.registry import DECODERS
from contracts.webhooks import key_of, signature
from infra.addresses import Blocked
from services.hook_dispatcher.adapters import Hook, headers, kind_of, retry_after
from services.hook_dispatcher.handlers.alarms import Alarms, Lanes, Turns
from services.hook_dispatcher.views.delivery import fold_delivery
from services.hook_dispatcher.views.hooks import Raised
from services.hook_dispatcher.views.rows import advanced, due_row
from tests.support.builders import PLAN, facts
from tests.support.wait import eventually

HOST = ConnectionKey("e.org", 443, True, True, None, None, None)


def test_the_signature_is_that_of_the_schemes_own_example() -> None:
    """Standard Webhooks 1.0.0, the example of its reference libraries."""
    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("secret", ["whsec_", "whsec_not base64", "whsec_abc", "whsec_-_-_"])
def test_a_secret_that_only_looks_like_the_schemes_is_refused_without_showing_it(secret: str) -> None:
    with pytest.raises(ValueError, match="base64") as refused:
        key_of(secret)
    assert secret == "whsec_" or secret not in str(refused.value)


def test_without_a_key_there_is_no_signature_and_the_clear_secret_is_never_sent() -> None:
    hook = Hook(delivery="d", raised="r", url="https://e.org", body=b"{}", sent_at=1)
    assert "webhook-signature" not in headers(hook, "us")
    assert not {name.lower() for name in headers(hook, "us")} & {"x-zadig-token", "authorization"}


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *[("120", 120.0), ("0", 0.0), (None, None), ("", None), ("-1", None), ("1.5", None), ("soon", None)],
        *[("²", None), ("9" * 40, None), ("Wed, 99 Oct 2026 07:28:00 GMT", None)],
    ],
)
def test_retry_after_is_read_in_seconds(value: str | None, seconds: float | None) -> None:
    assert retry_after(value) == seconds


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        ("Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:27:00 GMT", 60.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:29:00 GMT", 0.0),
        ("Wednesday, 21-Oct-26 07:28:00 GMT", "Wed Oct 21 07:27:30 2026", 30.0),  # the two obsolete forms
        ("Wed, 21 Oct 2026 07:28:00 GMT", None, 120.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", "yesterday", 120.0),
    ],
)
def test_retry_after_with_a_date_counts_from_the_receivers_own_clock(
    value: str, date: str | None, seconds: float
) -> None:
    assert retry_after(value, date, 1792567560) == seconds


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TimeoutError(), "timeout"),
        (ServerTimeoutError(), "timeout"),
        (ClientConnectorError(HOST, ConnectionRefusedError(111, "refused")), "refused"),
        (ClientConnectorError(HOST, Blocked(0, "no")), "blocked_address"),
        (ClientConnectionError(), "connection"),
        (ConnectionResetError(), "connection"),
        (ValueError("x"), "other"),
        (RuntimeError("x"), "other"),
    ],
)
def test_each_failure_to_send_has_its_class(error: Exception, kind: str) -> None:
    assert kind_of(error) == kind


LIVES = st.lists(
    st.sampled_from(
        [
            DeliveryAttempted(attempt=1, until=70),
            DeliveryFailed(attempt=1, error="status", detail="no", status=500, next_at=90),
            DeliveryFailed(attempt=1, error="timeout"),
            DeliverySucceeded(attempt=1, status=204, latency_ms=3),
            DeliveryDied(reason="x"),
            DeliveryResent(),
        ]
    ),
    max_size=8,
)


@given(LIVES)
def test_the_row_of_a_delivery_says_what_its_fold_says(life: list[Event]) -> None:
    created = DeliveryCreated(
        plan=PLAN, event="all_job_done", round=2, endpoint="e" * 24, raised_by=7, size=2, sha256="0" * 64
    )
    own = facts(created, *life, stream="delivery-" + "d" * 24)
    row = due_row("d" * 24, "e" * 24, Raised("all_job_done", 2), facts(DeliveryResent(), after=6)[0], PLAN)
    for fact in own:
        row = advanced(row, DECODERS[fact.type](fact.payload), fact)
    state = fold_delivery(own)
    assert state is not None
    assert (row.id, row.state, row.attempts, row.next_at) == (state.id, state.state, state.attempts, state.next_at)
    assert (row.last_status, row.last_error, row.ended_at) == (state.last_status, state.last_error, state.ended_at)
    assert (row.version, row.position, row.raised_by) == (state.version, state.position, state.created.raised_by)


async def test_an_alarm_rings_once_at_its_newest_time_and_a_far_one_not_at_all() -> None:
    rung: list[str] = []
    alarms = Alarms(rung.append, farthest_seconds=60)
    alarms.set("near", 30)
    alarms.set("near", 0)
    alarms.set("far", 61)
    alarms.set("closed", 0.5)
    await eventually(lambda: rung)
    alarms.close()
    assert rung == ["near"]


def test_a_lane_takes_so_many_and_wakes_the_next_when_one_leaves() -> None:
    rung: list[str] = []
    lanes = Lanes(rung.append, width=2)
    assert [lanes.enter("one", name) for name in ("a", "b", "c", "d", "c")] == [True, True, False, False, False]
    assert lanes.enter("two", "e")
    lanes.leave("one")
    assert rung == ["c"]
    assert lanes.enter("one", "c")
    for _ in range(2):
        lanes.leave("one")
    assert rung == ["c", "d"]


def test_no_wake_is_lost_on_one_that_entered_by_itself_or_has_nothing_to_do() -> None:
    rung: list[str] = []
    lanes = Lanes(rung.append, width=1)
    assert [lanes.enter("one", name) for name in ("a", "b", "c", "d")] == [True, False, False, False]
    lanes.leave("one")
    assert rung == ["b"]
    assert lanes.enter("one", "c")  # something else woke it
    lanes.leave("one")
    assert rung == ["b", "d"]
    assert lanes.enter("one", "d")
    lanes.leave("one")
    assert [lanes.enter("one", name) for name in ("x", "y", "z")] == [True, False, False]
    lanes.leave("one")
    lanes.pass_on("one")  # y has nothing to do
    assert rung == ["b", "d", "y", "z"]


async def test_who_hangs_gives_its_turn_to_another() -> None:
    turns, never = Turns(1, slow_seconds=0.01), asyncio.Event()

    async def hangs() -> None:
        async with turns.place() as place, turns.one(place):
            await never.wait()

    hanging = asyncio.create_task(hangs())
    await asyncio.sleep(0)
    async with turns.place() as place, turns.one(place):
        assert not hanging.done()
    never.set()
    await hanging


async def test_a_turn_is_given_back_once() -> None:
    turns = Turns(1, slow_seconds=0.01)
    second_in, go_on = asyncio.Event(), asyncio.Event()

    async def second() -> None:
        async with turns.place() as place, turns.one(place):
            second_in.set()
            await go_on.wait()

    async with turns.place() as place, turns.one(place):
        waiting = asyncio.create_task(second())
        await second_in.wait()  # the first has been slow
    third_in = asyncio.Event()

    async def third_one() -> None:
        async with turns.place() as place, turns.one(place):
            third_in.set()

    third = asyncio.create_task(third_one())
    await asyncio.sleep(0)
    assert not third_in.is_set()
    go_on.set()
    await asyncio.gather(waiting, third)
