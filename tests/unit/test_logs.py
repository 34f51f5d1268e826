"""Logging: one JSON object per line, and no secret in it."""

import io
import logging
from collections.abc import Iterator

import msgspec
import pytest
import structlog

from infra import logs
from infra.config import Secret


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    root, level = list(logging.getLogger().handlers), logging.getLogger().level
    logs.set_up("planner", "info", stream)
    yield stream
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    logging.getLogger().handlers, logging.getLogger().level = root, level


def events(stream: io.StringIO) -> list[dict[str, object]]:
    return [msgspec.json.decode(line) for line in stream.getvalue().splitlines()]


def test_an_event_has_level_service_time_and_the_trace_of_its_context(lines: io.StringIO) -> None:
    structlog.contextvars.bind_contextvars(trace_id="4bf92f35")
    structlog.get_logger().info("event_published", position=7)
    (event,) = events(lines)
    assert event.pop("timestamp")
    assert event == {
        "event": "event_published",
        "position": 7,
        "level": "info",
        "service": "planner",
        "trace_id": "4bf92f35",
    }


def test_a_librarys_warning_is_a_line_like_ours_and_its_chatter_is_not(lines: io.StringIO) -> None:
    logging.getLogger("nats.aio").info("chatter")
    logging.getLogger("nats.aio").warning("slow consumer %d", 3)
    (event,) = events(lines)
    assert (event["event"], event["level"], event["service"]) == ("slow consumer 3", "warning", "planner")


@pytest.mark.parametrize(
    "fields",
    [
        {"password": "hunter2"},
        {"headers": {"Authorization": "Bearer hunter2"}},
        {"endpoints": [{"name": "a", "signing_secret": "hunter2"}]},
        {"access_token": "hunter2"},
        {"reason": "cannot reach postgresql://planner:hunter2@db/gonogo"},
        {"error": ConnectionError("nats://planner:hunter2@bus:4222")},
        {"settings": Secret("hunter2")},
    ],
)
def test_no_secret_passes_through(lines: io.StringIO, fields: dict[str, object]) -> None:
    structlog.get_logger().warning("something_failed", **fields)
    assert len(events(lines)) == 1
    assert "hunter2" not in lines.getvalue()


def test_no_secret_passes_in_a_traceback(lines: io.StringIO) -> None:
    try:
        raise ConnectionError("postgresql://planner:hunter2@db/gonogo")
    except ConnectionError:
        structlog.get_logger().exception("something_failed")
    (event,) = events(lines)
    assert "ConnectionError" in str(event["exception"])
    assert "hunter2" not in lines.getvalue()
