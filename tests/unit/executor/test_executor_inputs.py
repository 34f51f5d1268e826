"""What a run is given: outputs of earlier items in the place of references, when the item starts, or a clear refusal."""

import pytest

from contracts.commands import ExecuteItem
from contracts.plan_events import ItemFinished, ItemSkipped, ItemStarted
from contracts.refusals import Refused
from contracts.values import Item
from services.executor.decider.inputs import complete_inputs
from services.executor.decider.items import Context, decide
from tests.unit.executor.given import DEPLOY, NOON, OLIVIA, PLAN, Given, all_found, content, workflow

BUILD = workflow("build")
USES = workflow("deploy", {"version": "v${items.build.outputs.version}!"}, needs=("build",))


def built(outputs: dict[str, str] | None = None, outcome: str = "done", item: Item = BUILD) -> Given:
    return (
        Given(content(item, USES))
        .executing()
        .then(
            ItemStarted(item="build", attempt=1, run="ab"),
            ItemFinished(item="build", attempt=1, outcome=outcome, outputs=outputs or {}),  # type: ignore[arg-type]
        )
    )


def refusal(given: Given) -> Refused:
    plan = given.plan
    with pytest.raises(Refused) as caught:
        decide(plan, ExecuteItem(plan=PLAN, item="deploy"), Context(OLIVIA, NOON, all_found(plan)))
    return caught.value


def test_the_output_of_the_earlier_item_is_put_in_and_the_sealed_text_stays() -> None:
    plan = built({"version": "1.2"}).plan
    assert complete_inputs(plan, USES, DEPLOY) == {"version": "v1.2!", "token": "secret:registry"}
    assert plan.content.items[1] == USES


def test_the_newest_attempt_that_was_done_gives_the_output() -> None:
    given = built({"version": "old"}).then(
        ItemStarted(item="build", attempt=2, run="cd"),
        ItemFinished(item="build", attempt=2, outcome="done", outputs={"version": "new"}),
    )
    assert complete_inputs(given.plan, USES, DEPLOY)["version"] == "vnew!"


def test_an_output_that_was_not_given_is_refused_and_named() -> None:
    refused = refusal(built({"tag": "x"}))
    assert refused.code == "output_missing"
    assert refused.faults[0].path == "/inputs/version"
    assert "gave no version; it gave tag" in refused.faults[0].detail


def test_a_skipped_or_failed_source_is_a_clear_refusal() -> None:
    skipped = Given(content(BUILD, USES)).executing().then(ItemSkipped(item="build", reason="built before"))
    assert (refusal(skipped).code, "is skipped" in refusal(skipped).faults[0].detail) == ("output_missing", True)
    failed = built({"version": "1"}, "failed", workflow("build", may_fail=True))
    assert (refusal(failed).code, "is failed" in refusal(failed).faults[0].detail) == ("output_missing", True)
