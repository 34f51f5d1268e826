"""Counting votes: which level is open, and who is still asked. Pure; whoever decides and whoever shows count the same way.

Rules of a level are conjunctive, and one person fills one slot: a vote is used for one rule only, so rules are filled by
matching people to slots (augmenting paths), not by counting names per rule. Levels open one after the other, and a vote
that filled a slot of an earlier level is spent.
"""

from collections.abc import Sequence

import msgspec

from contracts.plan import Vote
from contracts.values import Approval, ApprovalLevel, ApprovalRule


class Progress(msgspec.Struct, frozen=True):
    """Where a round stands. `level` is the index of the open level, `None` when all are met.

    `missing` has, for each rule of the open level, how many slots are still free; `asked` the references that can fill one.
    """

    level: int | None
    missing: tuple[int, ...] = ()
    asked: tuple[str, ...] = ()


def progress(approval: Approval, votes: Sequence[Vote]) -> Progress:
    """Where the round stands with these approving votes."""
    unused = [vote for vote in votes if vote.vote == "approve"]
    for index, level in enumerate(approval.levels):
        filled = _match(level, unused)
        free = tuple(rule.needed - len(filled[i]) for i, rule in enumerate(level.rules))
        if any(free):
            return Progress(index, free, _asked(level, free, unused))
        spent = {by for people in filled for by in people}
        unused = [vote for vote in unused if vote.by not in spent]
    return Progress(None)


def may_fill(rule: ApprovalRule, by: str, groups: Sequence[str]) -> bool:
    """Whether this person, with these groups, is one of the rule's approvers."""
    return by in rule.approvers or any(group in rule.approvers for group in groups)


def _asked(level: ApprovalLevel, free: tuple[int, ...], votes: Sequence[Vote]) -> tuple[str, ...]:
    voted = {vote.by for vote in votes}
    refs = [ref for i, rule in enumerate(level.rules) if free[i] for ref in rule.approvers if ref not in voted]
    return tuple(dict.fromkeys(refs))


def _match(level: ApprovalLevel, votes: Sequence[Vote]) -> list[list[str]]:
    """For each rule, who fills its slots; as many slots as can be filled at once."""
    filled: list[list[str]] = [[] for _ in level.rules]
    by_name = {vote.by: vote for vote in votes}
    for vote in votes:
        _place(vote, level, filled, by_name, set())
    return filled


def _place(
    vote: Vote, level: ApprovalLevel, filled: list[list[str]], by_name: dict[str, Vote], tried: set[int]
) -> bool:
    """Find this voter a slot, moving earlier voters to other rules where that helps."""
    for i, rule in enumerate(level.rules):
        if i in tried or not may_fill(rule, vote.by, vote.groups):
            continue
        tried.add(i)
        if len(filled[i]) < rule.needed:
            filled[i].append(vote.by)
            return True
        for j, other in enumerate(filled[i]):
            if _place(by_name[other], level, filled, by_name, tried):
                filled[i][j] = vote.by
                return True
    return False
