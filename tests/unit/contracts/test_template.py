"""Templates: what may be saved, what is filled in, and that filling in can do nothing else."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.refusals import Refused
from contracts.template import Parameter, Template
from contracts.template_filling import escaped, fill, has_placeholder, template_faults
from contracts.template_values import unsafe
from contracts.values import Content, WorkflowSpec
from tests.support.builders import content, text_item

PARAMETERS = (
    Parameter(name="version", pattern=r"[0-9]+\.[0-9]+"),
    Parameter(name="region", type="choice", choices=("eu", "us"), default="eu"),
    Parameter(name="needed", type="integer", default="2"),
    Parameter(name="optional", type="boolean", default="false"),
    Parameter(name="starts", type="moment", default="2030-05-01T08:00:00+02:00"),
    Parameter(name="remark", required=False),
)
PLAN: dict[str, Any] = {
    "name": "Release {{version}}",
    "description": "To {{ region }}. Not a placeholder: \\{{version}}. {{remark}}",
    "labels": ["r-{{version}}"],
    "window": {"start": "{{starts}}", "end": "2030-05-02T08:00:00+02:00"},
    "approval": {"levels": [{"rules": [{"approvers": ["group:{{region}}"], "needed": "{{needed}}"}]}]},
    "items": [
        {
            "id": "deploy",
            "name": "Deploy {{version}}",
            "may_fail": "{{optional}}",
            "spec": {"type": "workflow", "project": "web", "workflow": "deploy", "inputs": {"TAG": "v{{version}}"}},
        }
    ],
}


def template(**fields: Any) -> Template:
    return Template(**{"parameters": PARAMETERS, "plan": PLAN, **fields})


def paths(template: Template) -> list[str]:
    return [fault.path for fault in template_faults(template)]


def refused(values: dict[str, str], **fields: Any) -> list[str]:
    with pytest.raises(Refused) as caught:
        fill(template(**fields), values)
    assert caught.value.code == "invalid_values"
    return [fault.path for fault in caught.value.faults]


def test_a_sound_template_has_no_fault_and_fills_every_kind_of_place() -> None:
    assert template_faults(template()) == ()
    plan = fill(template(), {"version": "1.2", "optional": "true", "needed": "3"})
    assert plan.name == "Release 1.2"
    assert plan.description == "To eu. Not a placeholder: {{version}}. "
    assert plan.labels == ("r-1.2",)
    assert plan.window is not None
    assert plan.window.start.isoformat() == "2030-05-01T08:00:00+02:00"
    rule = plan.approval.levels[0].rules[0]
    assert (rule.approvers, rule.needed) == (("group:eu",), 3)
    [item] = plan.items
    assert item.may_fail
    assert isinstance(item.spec, WorkflowSpec)
    assert item.spec.inputs == {"TAG": "v1.2"}


def test_everything_wrong_with_a_template_is_told_at_once() -> None:
    wrong = template(
        parameters=(
            Parameter(name="version", pattern="("),
            Parameter(name="version"),
            Parameter(name="region", type="choice"),
            Parameter(name="needed", type="integer", default="two"),
            Parameter(name="optional", choices=("a",)),
        ),
        plan={"name": "{{verson}}", "nam": "x", "items": [{"id": "a", "name": "{{", "spec": {"type": "text"}}]},
    )
    assert paths(wrong) == [
        "/parameters/0/pattern",
        "/parameters/1/name",
        "/parameters/2/choices",
        "/parameters/3/default",
        "/parameters/4/choices",
        "/plan/name",
        "/plan/items/0/name",
        "/plan/nam",
    ]
    assert "did you mean version?" in template_faults(wrong)[5].detail


@pytest.mark.parametrize(
    "text", ["{{version", "{{ }}", "{{a.b}}", "{{version}", "{{__import__('os')}}", "{{{{version}}"]
)
def test_what_opens_a_placeholder_and_is_none_is_refused(text: str) -> None:
    assert paths(template(plan={"name": "n", "description": text})) == ["/plan/description"]


def test_all_values_are_checked_at_once() -> None:
    values = {
        "version": "1",
        "region": "moon",
        "needed": "1e3",
        "optional": "no",
        "starts": "2030-05-01",
        "regio": "eu",
    }
    names = ("regio", "version", "region", "needed", "optional", "starts")
    assert refused(values) == [f"/values/{name}" for name in names]
    assert refused({}) == ["/values/version"]


def test_a_value_that_makes_a_plan_of_the_wrong_shape_is_told_where_it_stands() -> None:
    parameters = (Parameter(name="label"), Parameter(name="needed"))
    plan = {**PLAN, "labels": ["{{label}}"], "name": "n", "description": "", "window": None, "items": []}
    plan["approval"] = {"levels": [{"rules": [{"approvers": ["group:sre"], "needed": "{{needed}}"}]}]}
    found = refused({"label": "a b", "needed": "many"}, parameters=parameters, plan=plan)
    assert found == ["/plan/labels/0", "/plan/approval/levels/0/rules/0/needed"]


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=60))
@settings(max_examples=60, deadline=None)
def test_a_value_comes_out_as_it_was_given_whatever_stands_in_it(value: str) -> None:
    simple = Template(parameters=(Parameter(name="a"),), plan={"name": "n", "description": "<{{a}}|\\{{a}}>"})
    assert fill(simple, {"a": value}).description == f"<{value}|{{{{a}}}}>"


@given(st.text(st.sampled_from("{}\\a ")))
@settings(max_examples=100, deadline=None)
def test_a_plan_that_was_escaped_comes_back_the_same(text: str) -> None:
    plan = {"name": "n", "description": text, "items": [{"id": "a", "name": "b" + text, "spec": {"type": "text"}}]}
    made = Template(plan=escaped(plan))
    assert template_faults(made) == ()
    filled = fill(made, {})
    assert (filled.description, filled.items[0].name) == (text, "b" + text)
    assert not has_placeholder(made.plan["description"])


def test_a_plan_that_only_uses_defaults_is_the_plan_itself() -> None:
    import msgspec

    origin = content(items=(text_item("a", spec={"content": "{{x}} \\{{"}),))
    made = Template(plan=escaped(msgspec.to_builtins(origin)))
    assert fill(made, {}) == origin
    assert isinstance(fill(made, {}), Content)


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a+)+",
        r"(?:a|a)*",
        r"(a)\1",
        r"(?=a)",
        r"(?i)a",
        r"a*a*a*a*",
        r"(a){2,}",
        "[",
        "a?" * 25,
        "(a|a)" * 25,
        "v?a?b?c?[0-9]+[0-9]+[0-9]+",
    ],
)
def test_a_pattern_that_could_run_away_is_not_taken(pattern: str) -> None:
    assert unsafe(pattern) is not None


@pytest.mark.parametrize(
    "pattern",
    [
        r"v?[0-9]+\.[0-9]+",
        r"(eu|us)-[a-z]{2,8}",
        r"[^\]()*+]{3}",
        r"\(\d{4}\)",
        r"\\1",
        r"v?\d+\.\d+\.\d+(?:-rc|-beta|)",
        "|".join(["word"] * 30),
    ],
)
def test_an_ordinary_pattern_is_taken(pattern: str) -> None:
    assert unsafe(pattern) is None


def test_the_worst_pattern_that_is_taken_ends_soon_on_the_longest_value() -> None:
    parameters = (Parameter(name="a", pattern="a*a*a*b"),)
    assert unsafe("a*a*a*b") is None
    begun = time.process_time()
    with pytest.raises(Refused):
        fill(Template(parameters=parameters, plan={"name": "{{a}}"}), {"a": "a" * 200})
    with pytest.raises(Refused):
        fill(Template(parameters=parameters, plan={"name": "{{a}}"}), {"a": "a" * 201})
    assert time.process_time() - begun < 10, "it is a matter of parts of a second, not of the age of the universe"


@pytest.mark.parametrize("pattern", ["a?" * 25, "(a|a)" * 25, "v?a?b?c?[0-9]+[0-9]+[0-9]+", "(a|b|c)" * 16])
def test_a_pattern_of_too_many_choices_is_not_taken(pattern: str) -> None:
    assert unsafe(pattern) is not None


@pytest.mark.parametrize("pattern", [r"v?\d+\.\d+\.\d+(?:-rc|-beta|)", "|".join(["word"] * 30), "(eu|us)(-[0-9])"])
def test_a_pattern_of_a_few_choices_is_taken(pattern: str) -> None:
    assert unsafe(pattern) is None


@pytest.mark.parametrize("pattern", ["a?" * 11 + "(a|a)" * 11 + "b", "a*a*a*a?a?a?b", "a{1,200}a*(a|a)(a|a)b"])
def test_the_worst_choices_that_are_taken_end_soon(pattern: str) -> None:
    assert unsafe(pattern) is None
    begun = time.process_time()
    with pytest.raises(Refused):
        fill(Template(parameters=(Parameter(name="a", pattern=pattern),), plan={"name": "{{a}}"}), {"a": "a" * 200})
    with pytest.raises(Refused):
        fill(Template(parameters=(Parameter(name="a", pattern=pattern),), plan={"name": "{{a}}"}), {"a": "a" * 24})
    assert time.process_time() - begun < 30, "it is a matter of a second"
