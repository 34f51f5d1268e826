"""Making a plan from a template: what the plan keeps of it."""

import pytest

from contracts.commands import FillTemplate
from contracts.refusals import Refused
from contracts.template import Parameter, Template, TemplateRevised
from contracts.template_state import TemplateState
from services.planner.decider.templates import VALUES_BYTES, plan_from
from tests.support.builders import NOON, PLAN

PARAMETERS = tuple(Parameter(name=name, required=False) for name in ("one", "two"))
REVISED = TemplateRevised(
    name="web", revision=1, template=Template(parameters=PARAMETERS, project="web", plan={"name": "Web"})
)
STATE = TemplateState("web", "user:olivia", "user:olivia", NOON, 1, 1, (REVISED,))


def filled_with(length: int) -> FillTemplate:
    return FillTemplate(plan=PLAN, template="web", values={"one": "1" * length, "two": "2" * length})


def test_values_that_are_too_large_together_to_be_kept_are_refused_and_the_limit_is_named() -> None:
    with pytest.raises(Refused) as caught:
        plan_from(STATE, filled_with(18_000))
    (fault,) = caught.value.faults
    assert (caught.value.code, fault.path, fault.code) == ("invalid_values", "/values", "too_large")
    assert str(VALUES_BYTES) in fault.detail


def test_values_below_the_limit_are_kept_with_the_plan() -> None:
    command = filled_with(16_000)
    created = plan_from(STATE, command)
    assert created.source is not None
    assert created.source.values == command.values
