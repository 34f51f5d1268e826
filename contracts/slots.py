"""Counting votes: which level is open, and who is still asked. Pure; whoever decides and whoever shows count the same way.

Rules of a level are conjunctive, and one person fills one slot of the whole round: a vote is used for one rule only, so
rules are filled by matching people to slots (augmenting paths), not by counting names per rule. Levels open one after
the other. Where the only person that a later level wants has been spent on an earlier one, somebody else may be asked to
take that earlier slot, so overlapping rules never wait for nobody.
"""

from collections.abc import Callable, Iterable, Sequence, Set
from typing import TypeVar

import msgspec

from contracts.plan import Plan, Seal, Vote
from contracts.values import Approval, ApprovalRule

T = TypeVar("T")

ALWAYS_SIGNED = ("approval", "rules")
"""Sections that every vote is for: who must agree and who may not, and how the plan runs."""


class Progress(msgspec.Struct, frozen=True):
    """Where a round stands. `level` is the index of the open level, `None` when all are met.

    `missing` has, for each rule of the open level, how many slots are still free; `asked` the references that can fill one.
    """

    level: int | None
    missing: tuple[int, ...] = ()
    asked: tuple[str, ...] = ()


def standing(plan: Plan, votes: Sequence[Vote] | None = None) -> Progress:
    """Where the plan's approval stands, with the votes that count now or with these."""
    return progress(plan.content.approval, counted(plan) if votes is None else votes, plan.seal)


def counted(plan: Plan) -> tuple[Vote, ...]:
    """The votes that count: those of a round that is open or decided, else those that the next round would begin with."""
    if plan.approval.state in {"none", "closed"}:
        return kept(plan)
    return plan.approval.votes


def kept(plan: Plan) -> tuple[Vote, ...]:
    """The votes that count on when the next round opens: cast for it early, or agreeing and still for what is sealed."""
    if plan.seal is None:
        return ()
    rules = [rule for level in plan.content.approval.levels for rule in level.rules]
    return tuple(vote for vote in plan.approval.votes if _kept(vote, rules, plan.seal, plan.approval.round + 1))


def _kept(vote: Vote, rules: Iterable[ApprovalRule], seal: Seal, next_round: int) -> bool:
    if vote.round == next_round and vote.seal == seal.value:
        return True
    return vote.vote == "approve" and any(_may_fill_now(rule, vote, seal) for rule in rules)


def progress(approval: Approval, votes: Sequence[Vote], seal: Seal | None = None) -> Progress:
    """Where the round stands with these approving votes. With `seal` each counts only where it is still for what is sealed."""
    unused = _one_each(vote for vote in votes if vote.vote == "approve")
    rules: list[ApprovalRule] = []
    filled: list[list[Vote]] = []

    def may(i: int, vote: Vote) -> bool:
        return _may_fill_now(rules[i], vote, seal)

    for index, level in enumerate(approval.levels):
        rules += level.rules
        filled += [[] for _ in level.rules]
        needed = [rule.needed for rule in rules]
        unused = [vote for vote in unused if not _place(vote, needed, may, filled, set())]
        free = [rule.needed - len(holders) for rule, holders in zip(rules, filled, strict=True)]
        if any(free):  # only in this level: a slot that was filled stays filled
            asked = _asked(rules, free, filled, votes, seal)
            return Progress(index, tuple(free[len(rules) - len(level.rules) :]), asked)
    return Progress(None)


def short_of(needed: Sequence[int], able: Sequence[Set[str]]) -> list[int]:
    """For each rule, how many slots stay free when everybody who is able to fills one slot, as well as can be."""
    filled: list[list[str]] = [[] for _ in needed]

    def may(i: int, person: str) -> bool:
        return person in able[i]

    wanted = sum(needed)
    for person in sorted(set().union(*able)):
        wanted -= _place(person, needed, may, filled, set())
        if not wanted:
            break
    return [count - len(holders) for count, holders in zip(needed, filled, strict=True)]


def may_fill(rule: ApprovalRule, by: str, groups: Sequence[str]) -> bool:
    """Whether this person, with these groups, is one of the rule's approvers."""
    return by in rule.approvers or any(group in rule.approvers for group in groups)


def still_signed(rule: ApprovalRule, vote: Vote, seal: Seal) -> bool:
    """Whether a vote is still for what this rule has its approvers sign."""
    if vote.seal == seal.value:
        return True
    if rule.keep_votes != "unchanged_sections" or not vote.sections:
        return False
    signed = {*rule.signs, *ALWAYS_SIGNED} if rule.signs else seal.sections
    return all(vote.sections.get(name) == seal.sections.get(name) for name in signed)


def _one_each(votes: Iterable[Vote]) -> list[Vote]:
    first: dict[str, Vote] = {}
    for vote in votes:
        first.setdefault(vote.fills_for, vote)
    return list(first.values())


def _may_fill_now(rule: ApprovalRule, vote: Vote, seal: Seal | None) -> bool:
    named = vote.on_behalf_of or vote.by
    return may_fill(rule, named, vote.groups) and (seal is None or still_signed(rule, vote, seal))


def _asked(
    rules: Sequence[ApprovalRule],
    free: Sequence[int],
    filled: Sequence[Sequence[Vote]],
    votes: Sequence[Vote],
    seal: Seal | None,
) -> tuple[str, ...]:
    """Everybody named where a slot is free, or where one could be freed by moving a vote to a slot that is."""
    voted = {name for vote in votes for name in (vote.by, vote.on_behalf_of, vote.fills_for)}
    wanted = [i for i, missing in enumerate(free) if missing]
    for i in wanted:  # grows while it is walked
        for j, holders in enumerate(filled):
            if j not in wanted and any(_may_fill_now(rules[i], vote, seal) for vote in holders):
                wanted.append(j)
    refs = [ref for i in wanted for ref in rules[i].approvers if ref not in voted]
    return tuple(dict.fromkeys(refs))


def _place(
    voter: T, needed: Sequence[int], may: Callable[[int, T], bool], filled: list[list[T]], tried: set[int]
) -> bool:
    """Find this voter a slot, moving earlier ones to other rules where that helps. A filled slot stays filled."""
    for i, count in enumerate(needed):
        if i in tried or not may(i, voter):
            continue
        tried.add(i)
        if len(filled[i]) < count:
            filled[i].append(voter)
            return True
        for j, other in enumerate(filled[i]):
            if _place(other, needed, may, filled, tried):
                filled[i][j] = voter
                return True
    return False
