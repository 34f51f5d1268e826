"""Letters: who gets which and when, what comes of an attempt, and what a letter says."""

from typing import Any

import pytest
from msgspec.structs import replace

from contracts import plan_events as e
from contracts.approval_events import ApprovalReminded, EmergencyApproved, VoteDelegated
from contracts.letter import LetterFailed, LetterGivenUp, LetterSent, letter_stream, message_id
from contracts.letter_state import Letters, fold_letters
from contracts.plan import Delegation, Plan
from contracts.refusals import Refused
from contracts.review import review
from contracts.seal import seal_of
from contracts.values import Changes
from services.approval.decider import Known
from services.approval.decider.letters import (
    Handed,
    Patience,
    attempt,
    due_letters,
    outcome,
    overdue,
    ready,
    resend,
    useless,
    wakes_at,
    write,
)
from services.approval.views import line, render
from tests.support.builders import (
    ADA,
    ANA,
    MALLORY,
    NOON,
    OLIVIA,
    PLAN,
    approval,
    content,
    created,
    facts,
    text_item,
    then,
)
from tests.unit.approval.test_more_rules import LINKED, TWO, after_vote, levels, seal_in, sealed, waiting

MEMBERS = Known(members={"group:sre": frozenset({"user:ana", "user:ben", "user:olivia"})})
PATIENCE = Patience(schedule_seconds=(60, 300), attempt_seconds=120)
LATER = NOON + 200_000_000


def letters_of(plan: Plan, known: Known = MEMBERS, *more: Any) -> Letters:
    written = write(None, plan, due_letters(plan, known, NOON))
    letters = fold_letters(facts(*written, *more, stream=letter_stream(PLAN, 1), actor=ADA))
    assert letters is not None
    return letters


def and_then(letters: Letters, events: Any) -> Letters:
    after = fold_letters(facts(*events, stream=letter_stream(PLAN, 1), after=letters.version), letters)
    assert after is not None
    return after


def tried(letters: Letters, now: int = NOON) -> Letters:
    return and_then(letters, attempt(ready(letters, now, 10), now, PATIENCE))


# Who


def test_the_members_of_a_group_are_asked_but_for_those_who_may_not_approve() -> None:
    plan = waiting(approval("group:sre"))
    assert due_letters(plan, MEMBERS, NOON) == (("user:ana", "asked"), ("user:ben", "asked"))


def test_who_owns_the_plan_through_a_group_is_not_asked() -> None:
    plan = waiting(approval("group:sre"), owner=("group:release",))
    known = Known(members={**MEMBERS.members, "group:release": frozenset({"user:ben"})})
    assert [person for person, _ in due_letters(plan, known, NOON)] == ["user:ana"]


def test_those_of_a_later_level_are_asked_when_it_opens() -> None:
    rule = TWO.levels[0].rules[0]
    asked = levels(
        (replace(rule, approvers=("user:ana",), needed=1),), (replace(rule, approvers=("user:ben",), needed=1),)
    )
    plan = waiting(asked)
    assert due_letters(plan, Known(), NOON) == (("user:ana", "asked"),)
    assert due_letters(after_vote(plan, ANA), Known(), NOON) == (("user:ben", "asked"),)


def test_a_person_with_two_identities_gets_one_letter() -> None:
    assert due_letters(waiting(), LINKED, NOON) == (("user:ana", "asked"),)


def test_a_delegate_is_asked_in_the_delegators_place_while_the_delegation_holds_and_if_they_may_approve() -> None:
    plan = then(waiting(approval("user:ana")), [VoteDelegated(to="user:cat", until=NOON + 1)], ANA)
    assert due_letters(plan, Known(), NOON) == (("user:ana", "asked"), ("user:cat", "delegated"))
    assert due_letters(plan, Known(), NOON + 1) == (("user:ana", "asked"),)
    standing = Known(delegations=(Delegation("user:ana", "user:ben", NOON + 1, NOON),))
    assert due_letters(waiting(approval("user:ana")), standing, NOON)[1:] == (("user:ben", "delegated"),)
    owner = then(waiting(approval("user:ana")), [VoteDelegated(to="user:olivia", until=NOON + 1)], ANA)
    assert due_letters(owner, Known(), NOON) == (("user:ana", "asked"),)


def test_a_reminder_goes_to_those_who_have_not_voted() -> None:
    plan = then(after_vote(waiting(), ANA), [ApprovalReminded(round=1)])
    assert due_letters(plan, Known(), NOON) == (("user:ben", "asked"), ("user:ben", "reminder"))


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (e.PlanApproved(round=1, seal=""), "approved"),
        (e.PlanDenied(round=1, seal=""), "denied"),
        (e.ApprovalExpired(round=1), "expired"),
    ],
)
def test_the_owner_is_told_how_it_ended_and_not_when_that_is_long_ago(event: Any, kind: str) -> None:
    plan = then(waiting(), [event])
    assert due_letters(plan, Known(), NOON) == (("user:olivia", kind),)
    assert due_letters(plan, Known(), NOON + 2 * 86_400_000_000) == ()


def test_an_emergency_approval_asks_the_approvers_for_their_review() -> None:
    plan = waiting()
    given = EmergencyApproved(round=1, seal=seal_in(plan), reason="down", person="user:ada")
    plan = then(plan, [given, e.PlanApproved(round=1, seal=seal_in(plan))], ADA)
    assert due_letters(plan, Known(), NOON)[1:] == (("user:ana", "review_owed"), ("user:ben", "review_owed"))


def test_a_draft_asks_nobody() -> None:
    assert due_letters(sealed(TWO), Known(), NOON) == ()
    assert due_letters(then(waiting(), [e.PlanReopened()]), Known(), NOON) == ()


def test_a_letter_is_written_once_per_person_and_kind() -> None:
    plan = waiting()
    letters = letters_of(plan)
    assert sorted(letters.letters) == [("user:ana", "asked"), ("user:ben", "asked")]
    assert write(letters, plan, due_letters(plan, MEMBERS, NOON)) == ()


# Attempts


def test_a_letter_that_was_taken_has_ended() -> None:
    letters = tried(letters_of(waiting(approval("user:ana"))))
    (letter,) = letters.letters.values()
    assert outcome(letters, letter, Handed(), NOON, PATIENCE) == (
        LetterSent(person="user:ana", kind="asked", attempt=1),
    )
    assert ready(and_then(letters, outcome(letters, letter, Handed(), NOON, PATIENCE)), LATER, 10) == ()


def test_a_letter_that_was_refused_for_now_is_tried_again_until_the_budget_is_used_up() -> None:
    letters = letters_of(waiting(approval("user:ana")))
    busy, now = Handed(error="recipient", detail="450 busy"), NOON
    for pause in (60, 300):
        letters = tried(letters, now)
        (letter,) = letters.letters.values()
        (failed,) = outcome(letters, letter, busy, now, PATIENCE)
        assert isinstance(failed, LetterFailed)
        assert failed.next_at == now + pause * 1_000_000
        letters = and_then(letters, (failed,))
        assert ready(letters, failed.next_at - 1, 10) == ()
        assert wakes_at(letters) == failed.next_at
        now = failed.next_at
    letters = tried(letters, now)
    (letter,) = letters.letters.values()
    ended = outcome(letters, letter, busy, now, PATIENCE)
    assert ended[-1] == LetterGivenUp(person="user:ana", kind="asked", reason="3 tries have failed")
    assert wakes_at(and_then(letters, ended)) == 0


def test_a_letter_that_is_refused_for_good_is_not_tried_again() -> None:
    letters = tried(letters_of(waiting(approval("user:ana"))))
    (letter,) = letters.letters.values()
    never = Handed(error="recipient", detail="550 no such user", final=True)
    failed, given_up = outcome(letters, letter, never, NOON, PATIENCE)
    assert (failed.next_at, given_up.reason) == (0, "recipient: 550 no such user")  # type: ignore[attr-defined]  # the two


def test_a_letter_that_is_asked_for_again_has_a_new_budget() -> None:
    plan = waiting(approval("user:ana"))
    letters = tried(letters_of(plan))
    assert resend(letters, plan, OLIVIA) == ()
    (letter,) = letters.letters.values()
    letters = and_then(letters, outcome(letters, letter, Handed(error="recipient", final=True), NOON, PATIENCE))
    again = tried(and_then(letters, resend(letters, plan, OLIVIA)))
    (letter,) = again.letters.values()
    assert (letter.attempts, letter.tries) == (2, 1)
    with pytest.raises(Refused):
        resend(letters, plan, MALLORY)


def test_an_attempt_without_outcome_is_made_again_when_its_time_is_over_and_a_late_outcome_changes_nothing() -> None:
    letters = tried(letters_of(waiting(approval("user:ana"))))
    (letter,) = letters.letters.values()
    assert overdue(letters, NOON, PATIENCE) == ()
    again = and_then(letters, overdue(letters, LATER, PATIENCE))
    assert again.letters[letter.key].error.startswith("interrupted")
    assert outcome(again, letter, Handed(), LATER, PATIENCE) == ()


def test_a_letter_that_nobody_needs_any_more_is_not_sent() -> None:
    plan = waiting()
    letters = letters_of(plan)
    ana = letters.letters["user:ana", "asked"]
    assert useless(ana, letters, plan, Known()) == ""
    assert useless(ana, letters, after_vote(plan, ANA), Known()) == "the person has voted"
    assert useless(ana, letters, then(plan, [e.PlanReopened()]), Known()) == "the round is over"


def test_a_message_id_is_the_same_at_every_attempt_and_another_for_every_letter() -> None:
    ids = {
        message_id(PLAN, number, person, kind, "example.org")
        for number in (1, 2)
        for person in ("user:ana", "user:ben")
        for kind in ("asked", "reminder")
    }
    assert len(ids) == 8
    assert message_id(PLAN, 1, "user:ana", "asked", "example.org") in ids


# What it says


def rendered(name: str = "Release 1.2", **fields: Any) -> Any:
    items = (text_item("one", name="<b>First</b> & only"),)
    seal = seal_of(content(items=items, approval=TWO), {})
    vote = (e.VoteCast(round=1, seal=seal.seal, vote="approve"), ANA)
    life = [created(items=items, approval=TWO), seal, e.PlanSubmitted(round=1, seal=seal.seal), vote]
    life += [e.PlanReopened(), e.PlanEdited(changes=Changes(name=name)), seal, e.PlanSubmitted(round=2, seal=seal.seal)]
    found = review(facts(*life), {"user:ana"})
    assert found is not None
    return seal.seal, render(fields.get("kind", "asked"), found, "https://gonogo.example/api/v1/plans/x/review")


def test_a_letter_has_the_link_the_seal_the_items_and_the_difference() -> None:
    seal, letter = rendered("Release 1.3")
    assert letter.subject == "[GoNoGo] Please vote: Release 1.3"
    for part in (seal, "https://gonogo.example/api/v1/plans/x/review", "one: <b>First</b> & only"):
        assert part in letter.text
    assert "since your last vote\n  - /name: Release 1.2 -> Release 1.3" in letter.text
    assert f">{seal}<" in letter.html
    assert '<a href="https://gonogo.example/api/v1/plans/x/review">' in letter.html


def test_nothing_that_people_wrote_is_markup_in_a_letter() -> None:
    _, letter = rendered('<script>alert("x")</script>')
    assert "<script" not in letter.html
    assert "<b>" not in letter.html
    assert "&lt;b&gt;First&lt;/b&gt; &amp; only" in letter.html


@pytest.mark.parametrize("name", ["a\r\nBcc: eve@example.org", "a\nb", "a\x85b", "a\u2028b", "a\x00b", "\x1b[31mred"])
def test_no_name_breaks_out_of_its_line(name: str) -> None:
    assert line(name).isprintable()


@pytest.mark.parametrize("name", ["a\x85b", "a\u2028b", "\u202egnp.exe"])
def test_a_subject_is_one_printable_line(name: str) -> None:
    assert rendered(name)[1].subject.isprintable()


def test_a_long_name_is_cut_in_the_subject() -> None:
    assert len(rendered("x" * 200)[1].subject) == 150
