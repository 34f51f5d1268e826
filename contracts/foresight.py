"""What would happen, without anything happening: the answers to "could it be sealed" and "how would it go"."""

from datetime import datetime

import msgspec

from contracts.plan_events import ResolvedWorkflow
from contracts.refusals import Fault


class Foreseen(msgspec.Struct, frozen=True, kw_only=True):
    """An answer about the future; it holds for the plan at `version`, asked at `at`."""

    plan: str
    version: int
    at: datetime


class SealCheck(Foreseen, frozen=True, kw_only=True):
    """What sealing would say now.

    `sealable`: it would be done. Else `code` and `detail` are those of the refusal, and `faults` all that is to be solved,
    also where somebody else would have to ask. `seal` is the seal that the plan would get, "" where there are faults;
    `sections` and `items` are the digests that it is made of.
    """

    sealable: bool
    code: str = ""
    detail: str = ""
    faults: tuple[Fault, ...] = ()
    seal: str = ""
    sections: dict[str, str] = {}
    items: dict[str, str] = {}
    workflows: dict[str, ResolvedWorkflow] = {}
