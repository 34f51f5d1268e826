"""The emergency approval and the review that it owes; identities that are linked."""

from typing import Any

import pytest
from msgspec.structs import replace

from contracts import plan_events as e
from contracts.approval_commands import ApproveInEmergency, LinkIdentities, ReviewEmergency, UnlinkIdentity
from contracts.approval_events import EmergencyApproved, EmergencyReviewed
from contracts.commands import Actor
from contracts.people import PEOPLE_STREAM, IdentitiesLinked, IdentityUnlinked
from contracts.people_state import People, fold_people
from contracts.plan import Plan
from contracts.refusals import Refused
from services.approval.decider import decide
from services.approval.decider.identities import link, unlink
from tests.support.builders import ADA, ANA, BEN, MALLORY, NOON, OLIVIA, PLAN, approval, facts, then
from tests.support.spec import given
from tests.unit.approval.test_more_rules import KNOWN, TWO, names, seal_in, sealed, waiting

ROOT = Actor("user:root", administrator=True)


def emergency(plan: Plan, actor: Actor = ADA, reason: str = "the site is down", **more: Any) -> Any:
    command = ApproveInEmergency(plan=PLAN, seal=more.pop("seal", "") or seal_in(plan), reason=reason)
    return decide(plan, command, actor, NOON, more.pop("known", KNOWN))


def reviewed(plan: Plan, actor: Actor, finding: Any = "accept", comment: str = "it was right", **more: Any) -> Any:
    known = more.pop("known", KNOWN)
    return decide(plan, ReviewEmergency(plan=PLAN, finding=finding, comment=comment, **more), actor, NOON, known)


def owing() -> Plan:
    plan = waiting()
    return then(plan, emergency(plan), ADA)


def test_an_administrator_approves_in_an_emergency_and_the_plan_owes_a_review() -> None:
    plan = waiting()
    given(plan).when(emergency).then(
        EmergencyApproved(round=1, seal=seal_in(plan), reason="the site is down", person="user:ada"),
        e.PlanApproved(round=1, seal=seal_in(plan)),
    )
    assert owing().approved
    assert owing().review_owed


def test_an_emergency_needs_no_submission() -> None:
    plan = sealed(TWO)
    assert names(emergency(plan)) == ["PlanSubmitted", "EmergencyApproved", "PlanApproved"]
    assert then(plan, emergency(plan), ADA).approved


@pytest.mark.parametrize(
    ("actor", "more", "code"),
    [
        (OLIVIA, {}, "forbidden"),
        (ADA, {"reason": " "}, "reason_required"),
        (ADA, {"seal": "0" * 64}, "seal_changed"),
    ],
)
def test_an_emergency_approval_is_an_administrators_with_a_reason_for_the_seal_that_was_seen(
    actor: Actor, more: dict[str, Any], code: str
) -> None:
    given(waiting()).when(lambda p: emergency(p, actor, **more)).refused(code)


def test_an_emergency_approval_again_is_already_so_and_an_approved_plan_needs_none() -> None:
    given(owing()).when(emergency).then_nothing()
    plan = waiting(approval("user:ana"))
    plan = then(plan, [e.PlanApproved(round=1, seal=seal_in(plan))])
    given(plan).when(emergency).refused("already_approved")


def test_a_draft_is_not_approved_in_an_emergency() -> None:
    plan = then(waiting(), [e.PlanReopened()])
    given(plan).when(lambda p: emergency(p, seal="0" * 64)).refused("not_waiting")


def test_another_person_pays_the_debt_by_reviewing() -> None:
    plan = owing()
    given(plan).when(lambda p: reviewed(p, ANA, "object", "no need to hurry")).then(
        EmergencyReviewed(round=1, seal=seal_in(plan), finding="object", comment="no need to hurry", person="user:ana")
    )
    paid = then(plan, reviewed(plan, ANA), ANA)
    assert not paid.review_owed
    assert (paid.emergencies[0].reviewed_by, paid.emergencies[0].finding) == ("user:ana", "accept")
    given(paid).when(lambda p: reviewed(p, BEN)).refused("no_review_owed")


def test_the_debt_survives_success_and_a_reopening() -> None:
    seal = seal_in(owing())
    ended = then(owing(), [e.StartRequested(by="approval"), e.ExecutionStarted(seal=seal), e.PlanSucceeded()])
    assert (ended.status, ended.review_owed) == ("success", True)
    assert not then(ended, reviewed(ended, ROOT), ROOT).review_owed
    assert then(owing(), [e.PlanReopened()]).review_owed


@pytest.mark.parametrize(
    ("actor", "more", "code"),
    [
        (ADA, {}, "self_review"),
        (ROOT, {"known": replace(KNOWN, people=People(persons={"user:root": "user:ada"}))}, "self_review"),
        (MALLORY, {}, "forbidden"),
        (replace(OLIVIA, administrator=True), {}, "self_approval"),
        (ANA, {"comment": ""}, "reason_required"),
        (ANA, {"seal": "0" * 64}, "no_review_owed"),
    ],
)
def test_a_review_is_another_persons_who_may_approve_or_administrate(
    actor: Actor, more: dict[str, Any], code: str
) -> None:
    given(owing()).when(lambda p: reviewed(p, actor, **more)).refused(code)


# Identities


def linking(people: People | None, *identities: str, actor: Actor = ADA) -> Any:
    exist = frozenset({"user:a", "user:b", "user:c", "user:d"})
    return link(people, LinkIdentities(identities=identities), actor, exist)


def after(*events: Any) -> People:
    people = fold_people(facts(*events, stream=PEOPLE_STREAM, actor=ADA))
    assert people is not None
    return people


def test_linked_identities_are_one_person_whoever_is_linked_to_them_later() -> None:
    (first,) = linking(None, "user:a", "user:b")
    people = after(first)
    (second,) = linking(people, "user:c", "user:b")
    assert second == IdentitiesLinked(person="user:c", identities=("user:a", "user:b", "user:c"))
    people = after(first, second)
    assert {people.person(one) for one in ("user:a", "user:b", "user:c")} == {"user:c"}
    assert linking(people, "user:a", "user:b") == ()


def test_unlinking_leaves_the_others_one_person() -> None:
    (linked,) = linking(None, "user:a", "user:b", "user:c")
    people = after(linked, IdentityUnlinked(identity="user:a"))
    assert people.person("user:a") == "user:a"
    assert people.person("user:b") == people.person("user:c") != "user:a"
    assert unlink(people, UnlinkIdentity(identity="user:a"), ADA) == ()


def test_only_administrators_link_and_all_unknown_identities_are_told() -> None:
    with pytest.raises(Refused) as refused:
        linking(None, "user:a", "user:x", "user:y")
    assert [fault.path for fault in refused.value.faults] == ["/identities/1", "/identities/2"]
    with pytest.raises(Refused) as forbidden:
        linking(None, "user:a", "user:b", actor=OLIVIA)
    assert forbidden.value.code == "forbidden"
