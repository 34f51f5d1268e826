"""Edits of a draft, given / when / then: by section, by item, by order, by version; large ones; ones that meet."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given as given_any
from hypothesis import settings
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts import edit_events as ee
from contracts import plan_events as e
from contracts.commands import Actor, CreatePlan, EditPlan
from contracts.edit_commands import (
    ChangeItem,
    ItemChanges,
    MoveItem,
    PutItem,
    RemoveItem,
    ReorderItems,
    RestorePlan,
)
from contracts.evolve import fold
from contracts.plan import Plan
from contracts.registry import encode
from contracts.seal import seal_of
from contracts.values import (
    Approval,
    ApprovalLevel,
    ApprovalRule,
    Changes,
    Content,
    GateRule,
    Gates,
    Item,
    Requirement,
    Rules,
    SubStep,
    TextSpec,
    WorkflowSpec,
)
from infra.eventlog.check import EVENT_BYTES
from services.planner.decider import Command, Known, decide
from services.planner.decider.structure import MOST_ITEMS, MOST_LONG, MOST_SHORT, PART_BYTES
from services.planner.decider.templates import VALUES_BYTES
from services.planner.decider.writing import edited, sealed, whole_seal
from tests.support.builders import MALLORY, NOON, OLIVIA, PLAN, content, created, facts, plan_after, text_item, then
from tests.support.spec import given

A, B, C = (text_item(one) for one in "abc")
DRAFT = plan_after(created(items=(A, B, C)))


def doing(command: Command, actor: Actor = OLIVIA, known: Known | None = None) -> Callable[[Plan | None], Any]:
    return lambda plan: decide(plan, command, actor, NOON, known or Known())


def ids_after(command: Command, known: Known | None = None, plan: Plan = DRAFT) -> list[str]:
    events = given(plan).when(doing(command, known=known)).events
    assert events is not None
    return [item.id for item in then(plan, events).content.items]


def test_one_item_that_changes_is_one_small_event() -> None:
    command = ChangeItem(plan=PLAN, item="b", changes=ItemChanges(name="New"))
    given(DRAFT).when(doing(command)).then(ee.ItemsPut(items=(text_item("b", name="New"),)))


def test_a_changed_item_keeps_the_fields_that_were_not_named() -> None:
    item = text_item("a", owner=("user:ana",), needs=("b",), group="G", spec={"content": "text"})
    plan = plan_after(created(items=(item, B)))
    command = ChangeItem(plan=PLAN, item="a", changes=ItemChanges(may_fail=True))
    given(plan).when(doing(command)).then(ee.ItemsPut(items=(replace(item, may_fail=True),)))


def test_an_item_is_added_at_the_end_or_behind_another() -> None:
    assert ids_after(PutItem(plan=PLAN, item=text_item("d"))) == ["a", "b", "c", "d"]
    assert ids_after(PutItem(plan=PLAN, item=text_item("d"), after="a")) == ["a", "d", "b", "c"]


def test_an_item_that_is_put_again_stays_in_its_place() -> None:
    assert ids_after(PutItem(plan=PLAN, item=text_item("b", name="New"), after="c")) == ["a", "b", "c"]


def test_an_item_moves_behind_another_or_to_the_front() -> None:
    assert ids_after(MoveItem(plan=PLAN, item="a", after="b")) == ["b", "a", "c"]
    assert ids_after(MoveItem(plan=PLAN, item="c")) == ["c", "a", "b"]


def test_an_item_is_removed_and_the_others_stay() -> None:
    assert ids_after(RemoveItem(plan=PLAN, item="b")) == ["a", "c"]


@pytest.mark.parametrize(
    "command",
    [
        ChangeItem(plan=PLAN, item="x", changes=ItemChanges()),
        RemoveItem(plan=PLAN, item="x"),
        MoveItem(plan=PLAN, item="x"),
    ],
)
def test_an_item_that_is_not_there_is_not_found(command: Command) -> None:
    given(DRAFT).when(doing(command)).refused("item_not_found")


@pytest.mark.parametrize("after", ["x", "a"])
def test_an_item_stands_behind_no_stranger_and_not_behind_itself(after: str) -> None:
    refused = given(DRAFT).when(doing(MoveItem(plan=PLAN, item="a", after=after))).refused("invalid_body")
    assert [fault.path for fault in refused.faults] == ["/after"]


def test_an_order_moves_as_few_items_as_can_be() -> None:
    command = ReorderItems(plan=PLAN, items=("c", "a", "b"))
    given(DRAFT).when(doing(command)).then(ee.ItemsPlaced(runs=(ee.Run(("c",)),)))


def test_an_order_can_neither_drop_nor_double_nor_invent_an_item() -> None:
    command = ReorderItems(plan=PLAN, items=("c", "x", "c"))
    refused = given(DRAFT).when(doing(command)).refused("order_incomplete")
    assert [(fault.path, fault.code) for fault in refused.faults] == [
        ("/items/1", "unknown_item"),
        ("/items/2", "duplicate_id"),
        ("/items", "item_missing"),
        ("/items", "item_missing"),
    ]


@pytest.mark.parametrize(
    "command",
    [
        EditPlan(plan=PLAN, changes=Changes(items=(A, B, C), name="Release 1.2")),
        PutItem(plan=PLAN, item=A, after="c"),
        ChangeItem(plan=PLAN, item="a", changes=ItemChanges(name="A")),
        MoveItem(plan=PLAN, item="b", after="a"),
        ReorderItems(plan=PLAN, items=("a", "b", "c")),
    ],
)
def test_an_edit_that_changes_nothing_makes_no_event(command: Command) -> None:
    given(DRAFT).when(doing(command)).then_nothing()


def test_an_edit_by_a_stranger_is_forbidden_whatever_it_is() -> None:
    given(DRAFT).when(doing(RemoveItem(plan=PLAN, item="a"), MALLORY)).refused("forbidden")


ANAS = plan_after(created(items=(text_item("a", owner=("user:ana",)), B, C)))
ITEM_OWNER = Actor("user:ana")


@pytest.mark.parametrize(
    "changes",
    [
        Changes(owner=("user:ana",)),
        Changes(approval=Approval()),
        Changes(rules=Rules(separation=())),
        Changes(gates=Gates(start_execute=GateRule())),
    ],
)
def test_who_owns_an_item_only_does_not_decide_who_decides_about_the_plan(changes: Changes) -> None:
    asked = Approval(levels=(ApprovalLevel(rules=(ApprovalRule(approvers=("user:ben",)),)),))
    plan = then(ANAS, [e.PlanEdited(changes=Changes(approval=asked))])
    refused = given(plan).when(doing(EditPlan(plan=PLAN, changes=changes), ITEM_OWNER)).refused("forbidden")
    assert refused.facts["allowed"] == ["user:olivia"]


@pytest.mark.parametrize(
    "command",
    [
        ChangeItem(plan=PLAN, item="b", changes=ItemChanges(owner=("user:ana",))),
        RemoveItem(plan=PLAN, item="b"),
        EditPlan(plan=PLAN, changes=Changes(items=())),
    ],
)
def test_who_owns_an_item_leaves_the_others_as_they_are(command: Command) -> None:
    refused = given(ANAS).when(doing(command, ITEM_OWNER)).refused("forbidden")
    assert "item b" in refused.detail


def test_who_owns_an_item_drafts_with_the_owners() -> None:
    own = ChangeItem(plan=PLAN, item="a", changes=ItemChanges(name="New"))
    given(ANAS).when(doing(own, ITEM_OWNER)).then(ee.ItemsPut(items=(text_item("a", name="New", owner=("user:ana",)),)))
    given(ANAS).when(doing(PutItem(plan=PLAN, item=text_item("d")), ITEM_OWNER)).then(
        ee.ItemsPut(items=(text_item("d"),))
    )
    given(ANAS).when(doing(EditPlan(plan=PLAN, changes=Changes(description="More.")), ITEM_OWNER)).then(
        e.PlanEdited(changes=Changes(description="More."))
    )


def test_a_sealed_plan_is_not_edited_by_items_either() -> None:
    plan = then(DRAFT, [seal_of(DRAFT.content, {})])
    given(plan).when(doing(RemoveItem(plan=PLAN, item="a"))).refused("not_planning")
    given(plan).when(doing(RestorePlan(plan=PLAN, version=1))).refused("not_planning")


def test_two_edits_of_different_sections_both_succeed() -> None:
    plan = then(DRAFT, [e.PlanEdited(changes=Changes(name="Theirs"))])
    command = EditPlan(plan=PLAN, changes=Changes(description="Yours"), base=1)
    given(plan).when(doing(command, known=Known(base=DRAFT.content))).then(
        e.PlanEdited(changes=Changes(description="Yours"))
    )


def test_of_two_edits_of_one_section_the_second_is_shown_base_theirs_and_yours() -> None:
    plan = then(DRAFT, [e.PlanEdited(changes=Changes(name="Theirs"))])
    command = EditPlan(plan=PLAN, changes=Changes(name="Yours", description="fine"), base=1)
    refused = given(plan).when(doing(command, known=Known(base=DRAFT.content))).refused("version_conflict")
    assert refused.facts["sections"] == ["name"]
    assert refused.facts["current_version"] == 2
    assert refused.facts["differences"] == [
        {"path": "/name", "base": "Release 1.2", "theirs": "Theirs", "yours": "Yours"}
    ]


def test_an_item_added_meanwhile_survives_a_save_of_all_items() -> None:
    plan = then(DRAFT, [ee.ItemsPut(items=(text_item("theirs"),))])
    command = EditPlan(plan=PLAN, changes=Changes(items=(C, A, B)), base=1)
    assert ids_after(command, Known(base=DRAFT.content), plan) == ["c", "a", "b", "theirs"]


def test_an_order_based_on_an_older_version_keeps_what_came_since() -> None:
    plan = then(DRAFT, [ee.ItemsPut(items=(text_item("theirs"),))])
    command = ReorderItems(plan=PLAN, items=("c", "b", "a"), base=1)
    assert ids_after(command, Known(base=DRAFT.content), plan) == ["c", "b", "a", "theirs"]


def test_a_version_is_restored_as_a_new_change() -> None:
    old = DRAFT.content
    plan = then(DRAFT, [e.PlanEdited(changes=Changes(name="B")), ee.ItemsRemoved(items=("a",))])
    events = given(plan).when(doing(RestorePlan(plan=PLAN, version=1), known=Known(version=old))).events
    assert events is not None
    assert events[0] == e.PlanEdited(changes=Changes(name="Release 1.2"), restored=1)
    assert then(plan, events).content == old


def test_a_version_of_which_only_items_differ_is_restored_as_a_restore() -> None:
    plan = then(DRAFT, [ee.ItemsRemoved(items=("a",))])
    command = RestorePlan(plan=PLAN, version=1)
    given(plan).when(doing(command, known=Known(version=DRAFT.content))).then(
        e.PlanEdited(changes=Changes(), restored=1),
        ee.ItemsPut(items=(A,)),
        ee.ItemsPlaced(runs=(ee.Run(("a",)),)),
    )


def test_a_version_that_never_was_is_not_restored() -> None:
    given(DRAFT).when(doing(RestorePlan(plan=PLAN, version=9))).refused("version_not_found")


def sizes(events: tuple[e.Event, ...] | None) -> list[int]:
    assert events is not None
    return [len(encode(event)[1]) for event in events]


def many(count: int, text: str = "Do it.") -> tuple[Item, ...]:
    return tuple(
        Item(id=f"item-{i:05}", name=f"Step {i}", spec=TextSpec(content=text), needs=(f"item-{i - 1:05}",) if i else ())
        for i in range(count)
    )


@pytest.mark.parametrize("items", [many(10_000), many(300, "long text " * 1_999)], ids=["many", "long"])
def test_a_large_plan_is_created_in_portions_that_the_log_takes(items: tuple[Item, ...]) -> None:
    command = CreatePlan(plan=PLAN, project="web", content=content(items=items))
    events = given(None).when(doing(command)).events
    assert max(sizes(events)) <= EVENT_BYTES
    assert plan_after(*(events or ())).content == command.content


def test_a_large_plan_is_turned_round_in_portions() -> None:
    items = many(10_000)
    plan = plan_after(created(items=items))
    events = given(plan).when(doing(EditPlan(plan=PLAN, changes=Changes(items=items[::-1])))).events
    assert max(sizes(events)) <= EVENT_BYTES
    assert then(plan, events or ()).content.items == items[::-1]


def test_a_large_seal_comes_in_portions_and_is_whole_again_in_the_plan() -> None:
    plan = plan_after(created(items=many(10_000)))
    whole = seal_of(plan.content, {})
    events = sealed(whole)
    assert max(sizes(events)) <= EVENT_BYTES
    assert whole_seal(events) == whole
    after = then(plan, events)
    assert after.seal is not None
    assert (after.seal.value, after.seal.items) == (whole.seal, whole.items)
    assert after.status == "finish_planning"
    assert after.digests.items == {}


def test_the_seal_of_the_longest_names_comes_in_portions_that_the_log_takes() -> None:
    spec = WorkflowSpec(project="p", workflow="w")
    items = tuple(Item(id=f"{i:064}", name="Run", spec=spec) for i in range(1_000))
    run = e.ResolvedWorkflow(project="p", workflow="w", revision=1, digest="d" * 64)
    whole = seal_of(content(items=items), {item.id: run for item in items})
    events = sealed(whole)
    assert max(sizes(events)) <= EVENT_BYTES
    assert whole_seal(events) == whole


def test_a_plan_with_large_values_of_a_template_is_created_in_portions() -> None:
    source = e.Source(kind="template", name="t", revision=1, values={"remark": "r" * VALUES_BYTES})
    command = CreatePlan(plan=PLAN, project="web", content=content(items=many(150, "long " * 30)), source=source)
    events = given(None).when(doing(command)).events
    assert max(sizes(events)) <= EVENT_BYTES
    plan = plan_after(*(events or ()))
    assert (plan.content, plan.source) == (command.content, source)


def test_a_small_seal_is_one_event() -> None:
    whole = seal_of(DRAFT.content, {})
    assert sealed(whole) == (whole,)


def test_sections_that_are_large_together_are_kept_apart() -> None:
    requirements = tuple(Requirement(tracker="jira", kind="issue", key=f"PAY-{i}", title="t" * 200) for i in range(200))
    big = content(description="d" * 20_000, requirements=requirements)
    events = given(None).when(doing(CreatePlan(plan=PLAN, project="web", content=big))).events
    assert max(sizes(events)) <= EVENT_BYTES
    assert plan_after(*(events or ())).content == big


def test_what_is_too_large_for_one_piece_is_named_with_the_limit() -> None:
    big = content(items=(A, text_item("b", spec={"content": "😀" * 20_000})), description="😀" * 20_000)
    refused = given(None).when(doing(CreatePlan(plan=PLAN, project="web", content=big))).refused("invalid_body")
    assert {fault.path: fault.code for fault in refused.faults} == {
        "/description": "too_large",
        "/items/1": "too_large",
    }
    assert all(str(PART_BYTES) in fault.detail for fault in refused.faults)


lists: Any = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("xy")), unique_by=lambda pair: pair[0], max_size=8
).map(lambda pairs: tuple(Item(id=one, name=name, spec=TextSpec()) for one, name in pairs))


@given_any(lists, lists)
@settings(max_examples=300)
def test_the_events_of_an_edit_make_exactly_the_content_that_was_wanted(old: Any, new: Any) -> None:
    plan = plan_after(created(items=old))
    events = edited(plan.content, content(items=new))
    assert then(plan, events).content == content(items=new)
    for cut in range(len(events)):
        fold(facts(*events[:cut], after=plan.version), plan)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Release\u202e 2.1 esaeler", "reordering_character"),
        ("a\u2066b\u2069", "reordering_character"),
        ("\u200b\u2060", "blank"),
        ("\u00a0 \u3000", "blank"),
        ("a\u0085b", "control_character"),
        ("a\u2028b", "control_character"),
    ],
)
def test_a_name_that_does_not_show_what_it_is_is_refused(name: str, code: str) -> None:
    bad = content(name=name, items=(text_item("a", name=name, group=name),))
    refused = given(None).when(doing(CreatePlan(plan=PLAN, project="web", content=bad))).refused("invalid_body")
    assert {(fault.path, fault.code) for fault in refused.faults} == {
        ("/name", code),
        ("/items/0/name", code),
        ("/items/0/group", code),
    }


@pytest.mark.parametrize(
    "name",
    [
        "Ünïcödé ✓",
        "发布计划 1.2",
        "إصدار ١٫٢",
        "שחרור",
        "می\u200cخواهم",
        "👩‍👩‍👧‍👦 family",
        "e\u0301 é",
        "a\u200fb",
        "𝔘𝔫𝔦",
        "\U0010fffd",
    ],
)
def test_names_of_every_script_are_kept_as_they_were_typed(name: str) -> None:
    good = content(name=name, items=(text_item("a", name=name, group=name),))
    events = given(None).when(doing(CreatePlan(plan=PLAN, project="web", content=good))).events
    assert plan_after(*(events or ())).content == good


def test_a_draft_may_have_a_circle_and_the_check_before_sealing_finds_it() -> None:
    circle = (text_item("a", needs=("b",)), text_item("b", needs=("a",)))
    command = EditPlan(plan=PLAN, changes=Changes(items=circle))
    assert ids_after(command) == ["a", "b"]


def test_editing_copies_nothing_that_did_not_change() -> None:
    events = given(DRAFT).when(doing(ChangeItem(plan=PLAN, item="b", changes=ItemChanges(name="New")))).events
    after: Content = then(DRAFT, events or ()).content
    assert after.items[0] is DRAFT.content.items[0]
    assert after.approval is DRAFT.content.approval


def test_a_text_that_grows_when_it_is_cleaned_never_becomes_an_event_that_cannot_be_read() -> None:
    long, short = "&" * (MOST_LONG + 1), "&" * (MOST_SHORT + 1)
    requirement = Requirement(tracker="jira", kind="issue", key="PAY-1", title=short)
    item = text_item("a", spec={"content": long, "sub_steps": (SubStep(id="s", text=short),)})
    bad = content(description=long, requirements=(requirement,), items=(item,))
    refused = given(None).when(doing(CreatePlan(plan=PLAN, project="web", content=bad))).refused("invalid_body")
    assert {(fault.path, fault.code) for fault in refused.faults} == {
        ("/description", "too_long"),
        ("/requirements/0/title", "too_long"),
        ("/items/0/spec/content", "too_long"),
        ("/items/0/spec/sub_steps/0/text", "too_long"),
    }


def test_items_added_one_by_one_do_not_become_more_than_a_plan_may_have() -> None:
    plan = plan_after(created(items=many(MOST_ITEMS)))
    refused = given(plan).when(doing(PutItem(plan=PLAN, item=text_item("more")))).refused("invalid_body")
    assert [(fault.path, fault.code) for fault in refused.faults] == [("/items", "too_many")]


def test_the_lengths_that_are_looked_at_are_those_of_the_words() -> None:
    def accepted(**fields: Any) -> bool:
        try:
            msgspec.convert({"name": "x", **fields}, Content)
        except msgspec.ValidationError:
            return False
        return True

    def step(text: str) -> dict[str, Any]:
        spec = {"type": "text", "sub_steps": [{"id": "a", "text": text}]}
        return {"id": "a", "name": "A", "spec": spec}

    for more in (0, 1):
        assert accepted(description="x" * (MOST_LONG + more)) is not bool(more)
        assert accepted(items=[step("x" * (MOST_SHORT + more))]) is not bool(more)
        assert accepted(items=[step("x")] * (MOST_ITEMS + more)) is not bool(more)
