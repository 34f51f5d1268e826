"""Filling in a template: `fill(template, values)` is the content of a plan. Pure, and the only place that reads `{{`.

A text that is one placeholder and nothing else may stand where a number, a truth or a time is wanted; it is read as such
once it is filled in. The same function tells approvers what a plan's template gives, to compare with the plan.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from contracts.refusals import Fault, Refused, pointer
from contracts.shape import Plain, fit, paths
from contracts.template import Template
from contracts.template_values import complete_values, parameter_faults
from contracts.values import Content

_TOKEN = re.compile(r"\\\{\{|\{\{\s*([A-Za-z_][A-Za-z0-9_]{0,63})\s*\}\}|\{\{")


def has_placeholder(text: str) -> bool:
    """Whether something is to be filled in here."""
    return any(found[1] for found in _TOKEN.finditer(text))


def escaped(value: Any) -> Any:
    """A plan's content as a template's: what looks like a placeholder is none."""
    match value:
        case str():
            return value.replace("{{", "\\{{")
        case Mapping():
            return {name: escaped(one) for name, one in value.items()}
        case list() | tuple():
            return [escaped(one) for one in value]
        case _:
            return value


def template_faults(template: Template) -> tuple[Fault, ...]:
    """Everything that is wrong with a template: its parameters, its placeholders, the shape of its plan."""
    names = [parameter.name for parameter in template.parameters]
    shape = fit(template.plan, Content, is_open=has_placeholder)
    return (
        *parameter_faults(template.parameters),
        *_placeholder_faults(template.plan, names),
        *(_under_plan(fault) for fault in shape.faults),
    )


def fill(template: Template, given: Mapping[str, str]) -> Content:
    """The content of a plan. Raises Refused(invalid_values) with every fault: of the values, and of what comes out."""
    values, faults = complete_values(template.parameters, given)
    if faults:
        raise Refused("invalid_values", _count(faults) + " with the values.", faults)
    fitted = fit(_filled(template.plan, values), Content)
    if fitted.faults:
        found = tuple(_blamed(fault, template.plan) for fault in fitted.faults)
        raise Refused("invalid_values", _count(found) + " with the plan that these values make.", found)
    return msgspec.convert(fitted.value, Content)


def filled_values(template: Template, given: Mapping[str, str]) -> dict[str, str]:
    """The values that `fill` uses, defaults filled in: what a plan keeps of where it came from."""
    return complete_values(template.parameters, given)[0]


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    match value:
        case str() if "{{" in value:
            return _text(value, values)
        case Mapping():
            return {name: _filled(one, values) for name, one in value.items()}
        case list() | tuple():
            return [_filled(one, values) for one in value]
        case _:
            return value


def _text(text: str, values: Mapping[str, str]) -> str:
    filled = _TOKEN.sub(lambda found: values[found[1]] if found[1] else "{{", text)
    only = _TOKEN.fullmatch(text)
    return Plain(filled) if only is not None and only[1] else filled


def _placeholder_faults(plan: Mapping[str, Any], names: Sequence[str]) -> Iterator[Fault]:
    for path, text in paths(plan):
        for found in _TOKEN.finditer(text):
            if found[1] is None and found[0] == "{{":
                detail = "opens a placeholder that is none: write {{NAME}}, or \\{{ for the two characters"
                yield Fault(pointer(("plan", *path)), detail, "bad_placeholder")
            elif found[1] is not None and found[1] not in names:
                near = difflib.get_close_matches(found[1], names, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                detail = f"{{{{{found[1]}}}}} names no parameter{hint}"
                yield Fault(pointer(("plan", *path)), detail, "unknown_placeholder")


def _under_plan(fault: Fault) -> Fault:
    return Fault(f"/plan{fault.path}", fault.detail, fault.code)


def _blamed(fault: Fault, plan: Mapping[str, Any]) -> Fault:
    """The fault with the parameters that stand at its place."""
    texts = {pointer(path): text for path, text in paths(plan)}
    found = dict.fromkeys(one[1] for one in _TOKEN.finditer(texts.get(fault.path, "")) if one[1])
    made = f" (made by {', '.join(found)})" if found else ""
    return Fault(f"/plan{fault.path}", fault.detail + made, fault.code)


def _count(faults: Sequence[Fault]) -> str:
    return "1 problem" if len(faults) == 1 else f"{len(faults)} problems"
