"""What an approver is told about the template that a plan was made from: its own changes since, and nothing else."""

from typing import Any

import pytest

from contracts.plan_events import Source
from contracts.template import Parameter, Template, TemplateDeleted, TemplateRevised
from contracts.template_news import TemplateNews, template_news
from tests.support.builders import ANA, facts

WHO = Parameter(name="who")
NOTE = Parameter(name="note", type="integer", required=False)


def made(*parameters: Parameter, **plan: Any) -> Template:
    return Template(parameters=parameters, plan={"name": "For {{who}}", **plan})


def news(*templates: Template, values: dict[str, str], revision: int = 1, deleted: bool = False) -> TemplateNews:
    events = [TemplateRevised(name="web", revision=i + 1, template=one) for i, one in enumerate(templates)]
    gone = [TemplateDeleted(name="web")] if deleted else []
    source = Source(kind="template", name="web", revision=revision, values=values)
    found = template_news(source, facts(*events, *gone, stream="template-1", actor=ANA))
    assert found is not None
    return found


def test_the_newest_revision_is_told_with_what_it_would_make_otherwise_of_the_same_values() -> None:
    found = news(made(WHO), made(WHO, description="Ask {{who}} first."), values={"who": "us"})
    assert (found.newest, found.by, found.deleted, found.faults) == (2, "user:ana", False, ())
    assert found.difference is not None
    assert [(one.path, one.before, one.after) for one in found.difference.changes] == [
        ("/description", "", "Ask us first.")
    ]


def test_a_plan_of_the_newest_revision_has_no_news() -> None:
    found = news(made(WHO, description="old"), made(WHO), values={"who": "us"}, revision=2)
    assert (found.newest, found.difference and found.difference.sections) == (2, ())


def test_a_parameter_that_is_gone_or_has_a_default_is_no_obstacle() -> None:
    newest = made(WHO, Parameter(name="new", default="x"), Parameter(name="note", default="1"), description="{{new}}")
    found = news(made(WHO, NOTE, Parameter(name="gone")), newest, values={"who": "us", "note": "", "gone": "y"})
    assert found.difference is not None
    assert found.difference.sections == ("description",)


@pytest.mark.parametrize(
    ("parameter", "path"),
    [(Parameter(name="new"), "/values/new"), (Parameter(name="who", pattern="[0-9]+"), "/values/who")],
)
def test_a_revision_that_makes_no_plan_of_these_values_says_why(parameter: Parameter, path: str) -> None:
    newest = made(*(() if parameter.name == "who" else (WHO,)), parameter)
    found = news(made(WHO), newest, values={"who": "us"})
    assert (found.newest, found.difference) == (2, None)
    assert [fault.path for fault in found.faults] == [path]


def test_a_template_that_was_deleted_since_is_told_as_such() -> None:
    assert news(made(WHO), values={"who": "us"}, deleted=True).deleted


def test_what_was_made_from_no_template_has_no_news() -> None:
    revised = facts(TemplateRevised(name="web", revision=1, template=made(WHO)), stream="template-1")
    assert template_news(Source(kind="copy", name="web", revision=1), revised) is None
    assert template_news(None, revised) is None
    assert template_news(Source(kind="template", name="web", revision=7), revised) is None
