"""Whether a plan's approvers can approve it: enough of them, each person once, whoever may not approve left out.

Pure, part of sealing. Rules are filled by matching people to slots, over all levels at once, exactly as votes are
counted later (`contracts.slots`): what passes here can be met, and what cannot be met is told before anybody waits.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from contracts.plan import Plan
from contracts.refusals import Fault
from contracts.slots import short_of
from contracts.values import Approval, ApprovalRule

if TYPE_CHECKING:
    from services.planner.decider import Known


def approver_faults(plan: Plan, known: "Known") -> Iterator[Fault]:
    """Every reason why this approval could not be given, or would not mean what it says."""
    approval = plan.content.approval
    yield from _times(approval)
    able = [[voters(rule, known) - separated(plan, known) for rule in level.rules] for level in approval.levels]
    short = False
    for i, level in enumerate(approval.levels):
        faults = [*_rules(i, level.rules, able[i])]
        if not faults and any(short_of([rule.needed for rule in level.rules], able[i])):
            detail = (
                f"needs {sum(rule.needed for rule in level.rules)} different people in all, and too few can be found"
            )
            faults.append(Fault(f"/approval/levels/{i}", detail, "approvers_too_few"))
        short = short or bool(faults)
        yield from faults
        yield from _signing(i, level.rules)
    needed = [rule.needed for level in approval.levels for rule in level.rules]
    if not short and any(short_of(needed, [one for level in able for one in level])):
        detail = f"need {sum(needed)} different people in all levels together, as one person fills one slot"
        yield Fault("/approval/levels", detail, "approvers_too_few")


def _rules(level: int, rules: tuple[ApprovalRule, ...], able: list[set[str]]) -> Iterator[Fault]:
    for j, (rule, people) in enumerate(zip(rules, able, strict=True)):
        if len(people) < rule.needed:
            detail = f"needs {rule.needed} but only {len(people)} of these people may approve this plan"
            yield Fault(f"/approval/levels/{level}/rules/{j}/needed", detail, "approvers_too_few")


def _signing(level: int, rules: tuple[ApprovalRule, ...]) -> Iterator[Fault]:
    for j, rule in enumerate(rules):
        if rule.signs and rule.keep_votes == "same_seal":
            detail = "names sections, and votes are kept for the same seal only; set keep_votes to unchanged_sections"
            yield Fault(f"/approval/levels/{level}/rules/{j}/signs", detail, "signs_without_keeping")


def _times(approval: Approval) -> Iterator[Fault]:
    before, deadline = approval.remind_before_seconds, approval.deadline_seconds
    if before is not None and deadline is None:
        yield Fault("/approval/remind_before_seconds", "there is no deadline to remind of", "reminder_without_deadline")
    elif before is not None and deadline is not None and before >= deadline:
        yield Fault("/approval/remind_before_seconds", "is not shorter than the deadline", "reminder_too_early")


def voters(rule: ApprovalRule, known: "Known") -> set[str]:
    """The persons whom a rule names, groups counted by their members."""
    people: set[str] = set()
    for ref in rule.approvers:
        people |= known.members.get(ref, frozenset()) if ref.startswith("group:") else {ref} & known.people
    return {known.persons.get(one, one) for one in people}


def separated(plan: Plan, known: "Known") -> set[str]:
    """The persons who may not approve this plan, by its own rule of separation."""
    people: set[str] = set()
    if "editors" in plan.content.rules.separation:
        people |= plan.editors
    if "owner" in plan.content.rules.separation:
        for ref in plan.content.owner:
            people |= known.members.get(ref, frozenset()) if ref.startswith("group:") else {ref}
    return {known.persons.get(one, one) for one in people}
