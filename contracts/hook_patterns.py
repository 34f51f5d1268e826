"""Which events an endpoint asks for. Pure text.

An endpoint lists names and patterns. A name of the three (`finish_planning`, `start_execute`, `all_job_done`) asks for the
hook of the reference system. Any other entry is a pattern over event types: tokens parted by dots, `*` for exactly one
token, `>` at the end for one or more. The version at the end may be left out, so `plan.*` is every event of a plan,
`item.finished` any version of one event, `item.finished.v1` that one alone, `gate.>` everything about gates. Events of plans
(with their items, approvals and gates) and of runs can be asked for, and `delivery.died`, for whoever watches the hooks.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from contracts.values import GATES

LARGEST = 100
"""Characters of one pattern."""

_PATTERN = re.compile(r"(?:(?:[a-z][a-z0-9_]*|\*)\.)*(?:[a-z][a-z0-9_]*|\*|>)")
_VERSION = re.compile(r"\.v\d+$")


def is_pattern(text: str) -> bool:
    """Whether this can stand in an endpoint's list besides the three names."""
    return len(text) <= LARGEST and text not in GATES and _PATTERN.fullmatch(text) is not None


@lru_cache(4_096)
def matches(pattern: str, type_name: str) -> bool:
    """Whether this pattern asks for events of this type. The three names ask for none: they are hooks, not events."""
    if pattern in GATES:
        return False
    bare = _VERSION.sub("", type_name)
    return _tokens_match(pattern.split("."), type_name.split(".")) or _tokens_match(pattern.split("."), bare.split("."))


def asks_for(patterns: Iterable[str], type_name: str) -> bool:
    """Whether any of these patterns asks for events of this type."""
    return any(matches(pattern, type_name) for pattern in patterns)


def _tokens_match(pattern: list[str], tokens: list[str]) -> bool:
    if pattern[-1] == ">":
        head = pattern[:-1]
        return len(tokens) > len(head) and all(map(_token_matches, head, tokens))
    return len(pattern) == len(tokens) and all(map(_token_matches, pattern, tokens))


def _token_matches(wanted: str, token: str) -> bool:
    return wanted in ("*", token)
