"""The values of a template's parameters: are they what the parameters ask for? All faults at once.

Patterns are regular expressions of a kind that cannot run away: nothing repeated inside a repetition, no look-around, no
back references, few open repetitions, options and alternatives, since each may double the ways to try, and only over short
values.
"""

import difflib
import math
import re
from collections.abc import Iterator, Mapping

import msgspec

from contracts.refusals import Fault
from contracts.template import Parameter
from contracts.values import Moment

Given = str | int | bool
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,14})")
_OPEN_REPETITIONS = 3
_MOST_WAYS = 2**24
_DOUBLINGS_OF_A_REPETITION = 7
"""On average, of three that share the longest value that is matched."""
_OPEN = re.compile(r"[*+]|\{[0-9]*,[0-9]*\}")
_LONGEST_MATCHED = 200
_LONGEST = 20_000


def text_of(given: Given) -> str:
    """A value as it stands in a text: `true`, `3`, `1.2`."""
    if isinstance(given, bool):
        return "true" if given else "false"
    return str(given)


def complete_values(
    parameters: tuple[Parameter, ...], given: Mapping[str, str]
) -> tuple[dict[str, str], tuple[Fault, ...]]:
    """Every parameter with its value, defaults filled in; and all that is wrong, by paths `/values/NAME`."""
    faults: list[Fault] = []
    names = [parameter.name for parameter in parameters]
    for name in given:
        if name not in names:
            faults.append(Fault(f"/values/{name}", _no_parameter(name, names), "unknown_parameter"))
    values: dict[str, str] = {}
    for parameter in parameters:
        value = given.get(parameter.name, parameter.default)
        if value is None and parameter.required:
            faults.append(Fault(f"/values/{parameter.name}", "must be given", "missing"))
        why = None if value is None else unfit(parameter, value)
        if why is not None:
            faults.append(Fault(f"/values/{parameter.name}", why))
        values[parameter.name] = value or ""
    return values, tuple(faults)


def unfit(parameter: Parameter, value: str) -> str | None:
    """Why this is no value of the parameter; `None` when it is one. Never repeats the value."""
    if len(value) > _LONGEST or "\x00" in value:
        return f"must be a text of {_LONGEST} characters at most, without U+0000"
    match parameter.type:
        case "choice" if value not in parameter.choices:
            return f"must be one of {', '.join(parameter.choices)}"
        case "integer" if not _INTEGER.fullmatch(value):
            return "must be a whole number"
        case "boolean" if value not in {"true", "false"}:
            return "must be true or false"
        case "moment" if not _is_moment(value):
            return "must be a time with its offset, like 2026-11-20T20:00:00+01:00"
        case "string" if parameter.pattern:
            return _unmatched(parameter.pattern, value)
        case _:
            return None


def _is_moment(value: str) -> bool:
    try:
        msgspec.convert(value, Moment)
    except msgspec.ValidationError:
        return False
    return True


def _unmatched(pattern: str, value: str) -> str | None:
    if len(value) > _LONGEST_MATCHED:
        return f"must have {_LONGEST_MATCHED} characters at most"
    return None if re.fullmatch(pattern, value) else f"must match {pattern}"


def parameter_faults(parameters: tuple[Parameter, ...]) -> Iterator[Fault]:
    """What is wrong with the declarations, by paths `/parameters/0/...`."""
    seen: set[str] = set()
    for i, one in enumerate(parameters):
        if one.name in seen:
            yield Fault(f"/parameters/{i}/name", f"{one.name} stands here a second time", "duplicate_id")
        seen.add(one.name)
        if (one.type == "choice") != bool(one.choices):
            why = "is empty; say which there are" if one.type == "choice" else f"goes with choice, not with {one.type}"
            yield Fault(f"/parameters/{i}/choices", why)
        if one.pattern:
            why_not = "goes with string alone" if one.type != "string" else unsafe(one.pattern)
            if why_not:
                yield Fault(f"/parameters/{i}/pattern", why_not)
                continue
        if one.default is not None and (wrong := unfit(one, one.default)):
            yield Fault(f"/parameters/{i}/default", wrong)


def unsafe(pattern: str) -> str | None:
    """Why this pattern is not taken; `None` when it is."""
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return f"is no regular expression: {error}"
    bare = re.sub(r"\\[^1-9]", "x", pattern)  # an escaped character is one character
    if "\\" in bare:
        return "refers back to a group, which is not taken"
    bare = re.sub(r"\[\^?\]?[^\]]*\]", "x", bare)  # a class as well
    if "(?" in bare.replace("(?:", "("):
        return "looks around or sets flags, which is not taken"
    if re.search(r"\)[*+?{]", bare):
        return "repeats a group, which is not taken"
    if len(_OPEN.findall(bare)) > _OPEN_REPETITIONS:
        return f"has more than {_OPEN_REPETITIONS} open repetitions"
    if _ways(bare) > _MOST_WAYS:
        return "can be tried in too many ways; use fewer repetitions, options and alternatives"
    return None


def _ways(bare: str) -> int:
    """How many ways to match there may be at most. `bare` has no classes, no escapes, and no group that is repeated."""
    doublings = _DOUBLINGS_OF_A_REPETITION * len(_OPEN.findall(bare)) + bare.replace("(?:", "(").count("?")
    alternatives, closed = [1], [1]
    for character in bare:
        match character:
            case "(":
                alternatives.append(1)
            case "|":
                alternatives[-1] += 1
            case ")":
                closed.append(alternatives.pop())
    return math.prod((*alternatives, *closed)) << doublings


def _no_parameter(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return "is no parameter of the template" + (f"; did you mean {near[0]}?" if near else "")
