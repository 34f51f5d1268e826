"""References to outputs: what is one, what is not, what is put in, and what a reopened plan asks for again."""

import pytest

from contracts import plan_events as e
from contracts.references import Reference, references, sources_of, with_outputs
from contracts.seal import seal_of
from contracts.values import Changes, Item
from tests.support.builders import content, created, plan_after, text_item, then, workflow_item

IMAGE = "${items.build.outputs.image}"


def test_a_reference_names_an_item_and_one_of_its_outputs() -> None:
    assert references(f"docker://{IMAGE}@x") == (Reference(IMAGE, "build", "image"),)
    dotted = "${items.build.outputs.1.outputs.image}"
    assert references(dotted) == (Reference(dotted, "build.outputs.1", "image"),)


@pytest.mark.parametrize(
    "text", ["", "plain", "${HOME}", "{{inputs.version}}", "$items.build.outputs.image", "${item.x}"]
)
def test_other_texts_hold_no_reference_and_stay_as_they_are(text: str) -> None:
    assert references(text) == ()
    assert with_outputs(text, {}) == text


@pytest.mark.parametrize("text", ["${items.build}", "${items.build.output.image}", "${items..outputs.x}", "${items.a"])
def test_a_reference_that_is_written_wrongly_is_told_not_passed_through(text: str) -> None:
    assert references(text) == (Reference(text),)
    with pytest.raises(KeyError):
        with_outputs(text, {})


def test_two_dollars_stand_for_one_plain_one() -> None:
    assert references("$${items.build.outputs.image}") == ()
    assert with_outputs("$${items.build.outputs.image}", {}) == IMAGE


def test_a_value_that_was_put_in_is_never_looked_at_again() -> None:
    outputs = {("build", "image"): "${items.other.outputs.secret}", ("build", "tag"): "$${x}"}
    text = f"{IMAGE} and ${{items.build.outputs.tag}}"
    assert with_outputs(text, outputs) == "${items.other.outputs.secret} and $${x}"


def test_the_sources_of_a_text_are_none() -> None:
    assert sources_of(text_item()) == frozenset()
    assert sources_of(workflow_item(inputs={"a": IMAGE, "b": "${HOME}"})) == {"build"}


def _chain(version: str) -> tuple[Item, ...]:
    return (
        workflow_item("build", inputs={"version": version}),
        workflow_item("deploy", needs=("build",), inputs={"image": IMAGE}),
        workflow_item("check", needs=("deploy",), inputs={"url": "${items.deploy.outputs.url}"}),
        text_item("tell"),
    )


def test_a_kept_item_is_asked_for_again_when_what_it_used_is() -> None:
    items = _chain("1")
    plan = plan_after(created(items=items), seal_of(content(items=items), {}))
    for item in items:
        plan = then(plan, (e.ItemStarted(item=item.id, attempt=1, run="ab"),))
        plan = then(plan, (e.ItemFinished(item=item.id, attempt=1, outcome="done"),))
    again = then(plan, (e.PlanReopened(), seal_of(content(items=items), {})))
    assert {item: state.status for item, state in again.items.items()} == dict.fromkeys(
        ("build", "deploy", "check", "tell"), "done"
    )
    other = _chain("2")
    changed = then(plan, (e.PlanReopened(), e.PlanEdited(changes=Changes(items=other))))
    changed = then(changed, (seal_of(content(items=other), {}),))
    states = {item: state.status for item, state in changed.items.items()}
    assert states == {"build": "todo", "deploy": "todo", "check": "todo", "tell": "done"}
    assert len(changed.state_of("deploy").attempts) == 1
