"""Which plan a fact concerns, and which gates that plan has just then. Remembered while the facts come without a gap.

A run names its plan in its first fact alone, and a plan its project; what is not remembered is read from the log.
"""

from collections.abc import Awaitable, Callable, Iterable

from contracts.envelope import Fact, category, stream_id
from contracts.plan_events import PlanCreated
from contracts.registry import DECODERS
from contracts.run import RunCreated
from contracts.values import Gates
from services.hook_dispatcher.views.hooks import Subject, gates_set

ReadStream = Callable[[str, int], Awaitable[list[Fact]]]

_REMEMBERED = 5_000


class Subjects:
    """`read_stream(stream, after_version)` reads the log."""

    def __init__(self, read_stream: ReadStream) -> None:
        self._read_stream = read_stream
        self._plans: dict[str, Subject] = {}
        self._runs: dict[str, str] = {}
        self._position = 0

    def expect(self, facts: list[Fact]) -> None:
        """Forget everything unless these facts follow the last ones: another process may have folded those between."""
        if facts[0].position != self._position + 1:
            self._plans.clear()
            self._runs.clear()
        if len(self._plans) > _REMEMBERED:
            self._plans.clear()
        if len(self._runs) > _REMEMBERED:
            self._runs.clear()
        self._position = facts[-1].position

    def see(self, fact: Fact) -> None:
        """Keep what is remembered up to date. Call it with every fact of a plan or a run, in order."""
        if category(fact.stream) == "run":
            if fact.version == 1:
                self._runs[fact.stream] = _plan_of(fact)
        elif fact.version == 1 or (fact.stream in self._plans and gates_set(fact) is not None):
            self._plans[fact.stream] = _after(self._plans.get(fact.stream), fact)

    async def at(self, fact: Fact) -> Subject:
        """The plan that this fact concerns. For one of a run the gates are those of now, and nobody asks for them."""
        stream = fact.stream
        if category(stream) == "run":
            if stream not in self._runs:
                first = await self._read_stream(stream, 0)
                self._runs[stream] = _plan_of(first[0])
            stream = f"plan-{self._runs[stream]}"
        return await self.of_plan(stream, fact.position)

    async def of_plan(self, stream: str, position: int) -> Subject:
        """The plan of this stream at this position, which is that of the fact that is folded now."""
        if stream not in self._plans:
            before = await self._read_stream(stream, 0)
            self._plans[stream] = subject_of(stream, (one for one in before if one.position <= position))
        return self._plans[stream]


def subject_of(stream: str, facts: Iterable[Fact]) -> Subject:
    """The plan after these facts of its stream."""
    found = Subject(stream_id(stream), "", Gates())
    for fact in facts:
        found = _after(found, fact)
    return found


def _after(subject: Subject | None, fact: Fact) -> Subject:
    before = subject or Subject(stream_id(fact.stream), "", Gates())
    project = before.project
    if fact.version == 1 and fact.type in DECODERS:
        created = DECODERS[fact.type](fact.payload)
        project = created.project if isinstance(created, PlanCreated) else project
    return Subject(before.plan, project, gates_set(fact) or before.gates)


def _plan_of(fact: Fact) -> str:
    event = DECODERS[fact.type](fact.payload) if fact.type in DECODERS else None
    return event.plan if isinstance(event, RunCreated) else ""
