"""Items while a fold writes them: each is taken out of the plan once, changed in place, and put back at the end.

Steps ask for `plan.work[item]` and write what they get. To make each state and the tuple of its attempts anew at every
event took a third of the time of a long fold.
"""

from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import replace

from contracts.plan import NOT_BEGUN, Attempt, ItemState, ItemStatus, Plan


class ItemWork(msgspec.Struct, gc=False):
    """An item's state while it is written."""

    status: ItemStatus
    attempts: list[Attempt]
    remark: str
    reason: str
    by: str
    at: int
    ticked: tuple[str, ...]
    digest: str
    held: str
    stopping: str

    def done(self) -> ItemState:
        """The state as everybody else sees it."""
        return ItemState(
            self.status,
            tuple(self.attempts),
            self.remark,
            self.reason,
            self.by,
            self.at,
            self.ticked,
            self.digest,
            self.held,
            self.stopping,
        )


class ItemsAtWork(dict[str, ItemWork]):
    """The items that a fold has taken so far. Asking for another one takes it."""

    def __init__(self, states: Mapping[str, ItemState]) -> None:
        self._states = states

    def __missing__(self, item: str) -> ItemWork:
        taken = self[item] = at_work(self._states.get(item, NOT_BEGUN))
        return taken


def at_work(state: ItemState) -> ItemWork:
    """The same, to be written."""
    return ItemWork(
        state.status,
        list(state.attempts),
        state.remark,
        state.reason,
        state.by,
        state.at,
        state.ticked,
        state.digest,
        state.held,
        state.stopping,
    )


def take_up(plan: Plan) -> None:
    """Before the first fact."""
    plan.work = ItemsAtWork(plan.items)


def put_back(plan: Plan) -> None:
    """After the last fact. The states that the fold began with stay as they were."""
    if plan.work:
        plan.items = dict(plan.items)
        for item, work in plan.work.items():
            plan.items[item] = work.done()
    plan.work = {}


def state_of(plan: Plan, item: str) -> ItemState | ItemWork:
    """To look at, in the middle of a fold."""
    return plan.work.get(item) or plan.items.get(item, NOT_BEGUN)


def keep_only(plan: Plan, items: Iterable[str]) -> None:
    """The plan has these items from now on, in this order, and behind them the others that were ever tried.

    One of those that still stops has its end told here, and one that is put again under the same id goes on counting,
    since a run's id is made of the attempt's number.
    """
    states, work = plan.items, plan.work
    plan.items = {item: states.get(item, NOT_BEGUN) for item in items}
    for item in {**states, **work}:
        if item not in plan.items and (work.get(item) or states[item]).attempts:
            plan.items[item] = states.get(item, NOT_BEGUN)
    take_up(plan)
    plan.work.update((item, taken) for item, taken in work.items() if item in plan.items)


def ask_again(plan: Plan, item: str, digest: str) -> None:
    """As if nothing had been done, under the new digest; the attempts stay on record.

    Only after `keep_only`. Takes nothing: a seal asks for all items of a plan, and most of them were never touched.
    """
    if (work := plan.work.get(item)) is None:
        plan.items[item] = replace(NOT_BEGUN, attempts=plan.items[item].attempts, digest=digest)
        return
    work.status, work.digest, work.at, work.ticked = "todo", digest, 0, ()
    work.remark = work.reason = work.by = work.held = work.stopping = ""
