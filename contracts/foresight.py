"""What would happen, without anything happening: the answers to "could it be sealed" and "how would it go"."""

from datetime import datetime
from typing import Literal

import msgspec

from contracts.plan_events import ResolvedWorkflow
from contracts.refusals import Fault
from contracts.values import GateName

MOST_TOLD = 10_000
"""An answer travels as one message."""


class Foreseen(msgspec.Struct, frozen=True, kw_only=True):
    """An answer about the future; it holds for the plan at `version`, asked at `at`."""

    plan: str
    version: int
    at: datetime


class SealCheck(Foreseen, frozen=True, kw_only=True):
    """What sealing would say now.

    `sealable`: it would be done. Else `code` and `detail` are those of the refusal, and `faults` all that is to be solved,
    also where somebody else would have to ask. `seal` is the seal that the plan would get, "" where there are faults;
    `sections` and `items` are the digests that it is made of; of more items or faults than `MOST_TOLD` the first are told.
    """

    sealable: bool
    code: str = ""
    detail: str = ""
    faults: tuple[Fault, ...] = ()
    seal: str = ""
    sections: dict[str, str] = {}
    items: dict[str, str] = {}
    workflows: dict[str, ResolvedWorkflow] = {}


class RehearsedStep(msgspec.Struct, frozen=True, kw_only=True):
    """One event that would be recorded, in order. `by` is who would act; `item` and `gate` where it is about one."""

    at: datetime
    type: str
    by: str
    item: str = ""
    gate: str = ""


class RuleForeseen(msgspec.Struct, frozen=True, kw_only=True):
    """`people` who may vote, groups counted by their members of now; `kept_out`: who may not, and the code why."""

    approvers: tuple[str, ...]
    needed: int
    people: tuple[str, ...]
    kept_out: dict[str, str]


class LevelForeseen(msgspec.Struct, frozen=True, kw_only=True):
    """A level of approval (from 1), when it would open, and whom it asks."""

    level: int
    opens_at: datetime
    rules: tuple[RuleForeseen, ...]


class HookForeseen(msgspec.Struct, frozen=True, kw_only=True):
    """A hook that would go out. `waits`: the plan waits there for an answer, until `deadline` at most,
    of each of `systems`, or of anybody where none is named."""

    event: GateName
    at: datetime
    waits: bool
    deadline: datetime | None
    endpoints: tuple[str, ...]
    systems: tuple[str, ...]


class ItemForeseen(msgspec.Struct, frozen=True, kw_only=True):
    """`stage` (from 1): items of one stage may run side by side; 0: it would not run. `starts_at` and `ends_at` take what is
    not known as no time. `expected_seconds`: see `basis`."""

    item: str
    name: str
    stage: int
    starts_at: datetime | None
    ends_at: datetime | None
    expected_seconds: float | None
    basis: str


class Rehearsal(Foreseen, frozen=True, kw_only=True):
    """How the plan would go from now on, by the very rules that run it, with nothing done.

    `outcome`: how far it would get; `waits` and `refused` say where it would stop (`code`, `detail`, `faults`). `stages` has
    the items that may run side by side, stage by stage. `expected_seconds` is from the first item's start to the end,
    `null` where something of unknown length is among it; `at_least_seconds` takes that as no time. `window_suffices`: `null`
    where nobody can say, or where there is no window. `assumptions` are what all this rests on.
    """

    outcome: Literal["success", "timeout", "waits", "refused"]
    code: str
    detail: str
    faults: tuple[Fault, ...]
    steps: tuple[RehearsedStep, ...]
    approval: tuple[LevelForeseen, ...]
    hooks: tuple[HookForeseen, ...]
    stages: tuple[tuple[str, ...], ...]
    items: tuple[ItemForeseen, ...]
    starts_at: datetime | None
    ends_at: datetime | None
    expected_seconds: float | None
    at_least_seconds: float | None
    window_suffices: bool | None
    spare_seconds: float | None
    assumptions: tuple[str, ...]
