"""What became of a template since a plan was made from it: is there a newer revision, and what would that make otherwise?

Pure. The revision that was used and the newest one are filled in with the values that the plan kept, so that only the
template's own changes are told; what people changed in the plan is told by `contracts.review`.
"""

from collections.abc import Iterable, Mapping

import msgspec

from contracts.difference import Difference, difference
from contracts.envelope import Fact
from contracts.plan_events import Source
from contracts.refusals import Fault, Refused
from contracts.template import Template
from contracts.template_filling import fill
from contracts.template_state import fold_template
from contracts.values import Content


class TemplateNews(msgspec.Struct, frozen=True):
    """`by` and `at` (Unix microseconds) are those of the newest revision. `deleted`: the template is offered no more.

    `difference` is `None` where the newest revision makes no plan of these values; `faults` say why.
    """

    newest: int
    by: str
    at: int
    deleted: bool
    difference: Difference | None
    faults: tuple[Fault, ...] = ()


def template_news(source: Source | None, facts: Iterable[Fact]) -> TemplateNews | None:
    """The news of the template whose stream this is. `None` for a plan that was made from none."""
    state = fold_template(facts) if source is not None and source.kind == "template" else None
    used = state.revision(source.revision) if state is not None and source is not None else None
    if state is None or used is None or source is None:
        return None
    given = _given(used.template, source.values)
    try:
        found = difference(_filled(used.template, given), _filled(state.newest.template, given))
    except Refused as refused:
        return TemplateNews(state.newest.revision, state.put_by, state.put_at, state.deleted, None, refused.faults)
    return TemplateNews(state.newest.revision, state.put_by, state.put_at, state.deleted, found)


def _given(used: Template, values: Mapping[str, str]) -> Mapping[str, str]:
    """The values without those of parameters that were left empty: another revision may have a default for them."""
    empty = {
        one.name for one in used.parameters if not one.required and one.default is None and not values.get(one.name)
    }
    return {name: value for name, value in values.items() if name not in empty}


def _filled(template: Template, values: Mapping[str, str]) -> Content:
    """With the values of those parameters that it has."""
    asked = {parameter.name for parameter in template.parameters}
    return fill(template, {name: value for name, value in values.items() if name in asked})
