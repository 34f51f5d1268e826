"""What an approver must see: what is sealed, and how it differs from what they saw, from what was approved, from its source.

Pure, of a plan's facts. It compares contents as they stood at a fact, so nothing is shown that was not in the log.
"""

from collections.abc import Collection, Sequence

import msgspec

from contracts.difference import Difference, difference
from contracts.envelope import Fact
from contracts.evolve import fold
from contracts.plan import Plan
from contracts.plan_events import VoteCast
from contracts.registry import DECODERS


class Since(msgspec.Struct, frozen=True):
    """How the plan differs from the content that it had at `version` of its stream. `at` in Unix microseconds."""

    version: int
    at: int
    seal: str
    difference: Difference


class Review(msgspec.Struct, frozen=True):
    """`None` where there is nothing to compare with: no vote yet, no earlier approval, not made from anything."""

    plan: Plan
    my_vote: Since | None = None
    approved: Since | None = None
    source: Since | None = None


def review(facts: Sequence[Fact], identities: Collection[str]) -> Review | None:
    """The review of a plan, from all its facts, for the person behind these identities. `None`: there is no plan.

    `approved` is the newest approval before what is sealed now (or drafted now, where nothing is).
    """
    plan = fold(facts)
    if plan is None:
        return None
    before = _last(facts, len(facts), "plan.sealed.v1") if plan.seal else len(facts) - 1
    approved = _last(facts, before, "plan.approved.v1")
    return Review(
        plan,
        my_vote=_since(facts, _my_vote(facts, identities), plan),
        approved=_since(facts, approved, plan),
        source=_since(facts, _creation(facts), plan) if plan.source else None,
    )


def _since(facts: Sequence[Fact], index: int, plan: Plan) -> Since | None:
    if index < 0:
        return None
    then = fold(facts[: index + 1])
    assert then is not None  # a plan's first fact creates it
    seal = then.seal.value if then.seal else ""
    return Since(then.version, facts[index].at, seal, difference(then.content, plan.content))


def _creation(facts: Sequence[Fact]) -> int:
    """The place of the last fact that created the plan: a large one is created by several, in one append."""
    return next((i for i in range(1, len(facts)) if facts[i].ordinal == 0), len(facts)) - 1


def _last(facts: Sequence[Fact], end: int, type_: str) -> int:
    """The place of the last fact of this type before `end`; -1 where there is none."""
    return next((i for i in range(end - 1, -1, -1) if facts[i].type == type_), -1)


def _my_vote(facts: Sequence[Fact], identities: Collection[str]) -> int:
    """The last vote that the person cast, or that was cast in their place."""
    for i in range(len(facts) - 1, -1, -1):
        if facts[i].type == "plan.vote_cast.v1":
            cast = DECODERS["plan.vote_cast.v1"](facts[i].payload)
            assert isinstance(cast, VoteCast)
            if facts[i].actor in identities or cast.person in identities or cast.on_behalf_of in identities:
                return i
    return -1
