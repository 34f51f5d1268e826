"""Spans: whose child each is, what a failure tells, and which are not worth telling."""

import asyncio

import pytest
import structlog
from msgspec.structs import replace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from contracts.envelope import Fact
from contracts.plan_events import ItemsSettled
from infra.eventlog.model import Append, Appended, Conflict, Draft, Outcome
from infra.telemetry.appends import traced
from infra.telemetry.messages import answering, asking
from infra.telemetry.outbox import Outbox
from infra.telemetry.reactions import Reactions
from infra.telemetry.tracing import Tracing, trace_id_of, traceparent_of
from tests.support.builders import facts
from tests.support.collector import place

THEIRS = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
OTHERS = "00-11111111111111111111111111111111-2222222222222222-01"
APPEND = Append("plan-1", 0, "user:olivia", "key", b"f", (Draft("plan.created.v1", b"hush"),), 1, "user:olivia", "http")


def fact(position: int, trace: str = "") -> Fact:
    (made,) = facts(ItemsSettled(), stream="plan-1", after=position - 1)
    return replace(made, trace=trace)


class Made:
    """What makes spans, and those that were told."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracing = Tracing(provider.get_tracer("test"), _no_outbox())

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]

    def named(self, name: str) -> ReadableSpan:
        found = [span for span in self.spans if span.name == name]
        assert len(found) == 1, self.names
        return found[0]


def _no_outbox() -> Outbox:
    return object.__new__(Outbox)


@pytest.fixture
def made() -> Made:
    return Made()


def id_of(span: ReadableSpan) -> tuple[str, str]:
    context = span.context
    assert context is not None
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def parent_of(span: ReadableSpan) -> tuple[str, str] | None:
    return None if span.parent is None else (f"{span.parent.trace_id:032x}", f"{span.parent.span_id:016x}")


def test_a_span_is_the_child_of_what_it_is_in_or_of_what_it_was_sent(made: Made) -> None:
    with made.tracing.span("sent", "server", {}, parent=THEIRS), made.tracing.span("in it", "internal", {}):
        pass
    assert parent_of(made.named("sent")) == place(THEIRS)
    assert parent_of(made.named("in it")) == id_of(made.named("sent"))


@pytest.mark.parametrize("wrong", ["", "00-0-0-01", THEIRS.replace("4", "g"), f"00-{'0' * 32}-{'1' * 16}-01", "\r\nx"])
def test_what_is_no_traceparent_begins_a_trace(made: Made, wrong: str) -> None:
    with made.tracing.span("outer", "internal", {}), made.tracing.span("root", "server", {}, parent=wrong):
        pass
    assert parent_of(made.named("root")) is None


def test_a_trace_that_its_caller_does_not_keep_is_passed_on_and_not_kept(made: Made) -> None:
    with made.tracing.span("server", "server", {}, parent=THEIRS[:-1] + "0") as span:
        passed_on = traceparent_of(span)
    assert passed_on.startswith(THEIRS[:35])
    assert passed_on.endswith("-00")
    assert made.spans == []


def test_log_lines_inside_a_span_have_its_trace_id_and_those_after_it_have_none(made: Made) -> None:
    with made.tracing.span("one", "internal", {}) as span:
        assert structlog.contextvars.get_contextvars() == {"trace_id": trace_id_of(span)}
    assert structlog.contextvars.get_contextvars() == {}


def test_a_failure_tells_its_class_and_none_of_its_words(made: Made) -> None:
    with pytest.raises(ValueError, match="hush"), made.tracing.span("one", "internal", {}):
        raise ValueError("hush")
    one = made.named("one")
    assert one.attributes == {"error.type": "ValueError"}
    assert "hush" not in one.to_json()


async def test_a_look_that_did_nothing_leaves_no_span(made: Made) -> None:
    with made.tracing.perhaps("look", {}, [THEIRS]):
        pass
    assert made.spans == []


async def test_a_look_whose_task_does_something_later_is_told_then(made: Made) -> None:
    async def later() -> None:
        await begin.wait()
        with made.tracing.span("late", "internal", {}):
            pass

    begin = asyncio.Event()
    with made.tracing.perhaps("look", {}, [THEIRS]):
        task = asyncio.create_task(later())
    assert made.spans == []
    begin.set()
    await task
    assert parent_of(made.named("late")) == id_of(made.named("look"))
    assert parent_of(made.named("look")) == place(THEIRS)


async def test_a_look_that_only_led_to_another_is_not_its_parent(made: Made) -> None:
    with (
        made.tracing.perhaps("first", {}, [THEIRS]),
        made.tracing.perhaps("second", {}, []),
        made.tracing.span("done", "internal", {}),
    ):
        pass
    assert parent_of(made.named("second")) == place(THEIRS)
    assert "first" not in made.names


async def test_an_append_stores_its_own_name_and_tells_no_payload(made: Made) -> None:
    stored: list[Append] = []

    async def append(command: Append) -> Outcome:
        stored.append(command)
        return Appended(1, 7, b"answer")

    with made.tracing.span("command", "consumer", {}, parent=THEIRS):
        await traced(made.tracing, APPEND, append)
    span = made.named("log.append")
    assert place(stored[0].trace) == id_of(span)
    assert parent_of(span) == id_of(made.named("command"))
    assert span.attributes is not None
    assert span.attributes["gonogo.position"] == 7
    assert "hush" not in span.to_json()


async def test_a_conflict_is_no_failure(made: Made) -> None:
    async def append(_: Append) -> Outcome:
        return Conflict(3)

    await traced(made.tracing, APPEND, append)
    assert made.named("log.append").status.is_ok


async def test_who_answers_is_the_child_of_who_asks(made: Made) -> None:
    with asking(made.tracing, "planner") as along:
        headers = dict(along)
    with answering(made.tracing, "planner", headers):
        pass
    asked, answered = made.named("request gonogo.v1.cmd.planner"), made.named("process gonogo.v1.cmd.planner")
    assert parent_of(answered) == id_of(asked)


async def test_a_reaction_goes_on_with_its_newest_cause_and_is_linked_to_the_others(made: Made) -> None:
    reactions = Reactions("executor", made.tracing)
    reactions.note([fact(1, trace=OTHERS), fact(2, trace=THEIRS), fact(3)], lambda one: one.stream)
    failures = [OSError("hush")]

    async def react(_: str) -> None:
        if failures:
            raise failures.pop()
        with made.tracing.span("acted", "internal", {}):
            pass

    with pytest.raises(OSError, match="hush"):
        await reactions.react(fact(1).stream, react)
    await reactions.react(fact(1).stream, react)
    failed, done = made.spans[0], made.spans[-1]
    assert done.name == failed.name == "executor plan"
    assert (failed.status.is_ok, done.status.is_ok) == (False, True)
    assert parent_of(done) == place(THEIRS)
    assert [f"{link.context.span_id:016x}" for link in done.links] == [place(OTHERS)[1]]
