"""The addresses on the bus: which subject an event, a command or a wake-up travels on.

Pure text. A token made of a user's words is refused, since a dot, a space or a wildcard in it would change the address.
A stream's name is `<category>-<id>`; a type's name is dotted (`plan.sealed.v1`) and its dots become tokens on purpose,
so that a listener can ask for `gonogo.v1.evt.plan.*.plan.sealed.>`.
"""

import re

STREAM = "GONOGO"
"""The JetStream stream that mirrors the log."""

EVENTS = "gonogo.v1.evt.>"
"""Everything that the stream keeps. Only the relay may publish here."""

WAKE = "gonogo.v1.wake"
"""Says that the log has grown, and nothing else. The body is the position up to which it had, as text: a hint."""

PRESENCE = "gonogo.v1.presence"
"""What gateways tell each other about who is looking at what. Kept nowhere."""

COMMANDS = "gonogo.v1.cmd.*"
"""All requests to services. A service's queue group has the service's name."""

_STREAM = re.compile(r"([a-z_]+)-([0-9a-f]+)")  # as the log itself checks it
_TYPE = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*")
_SERVICE = re.compile(r"[a-z][a-z0-9_-]*")
_CATEGORY = re.compile(r"[a-z_]+")
_TOLD_OF_PLANS = frozenset({"item", "gate"})


def category_of(type_: str) -> str:
    """The category of the streams that keep events of this type: `plan` for `item.finished.v1`, `run` for `run.claimed.v1`.

    A type's first word names it, but for items and gates, which belong to their plan.
    """
    first = type_.partition(".")[0]
    return "plan" if first in _TOLD_OF_PLANS else first


def event_subject(stream: str, type_: str) -> str:
    """`gonogo.v1.evt.plan.68b7….plan.sealed.v1` of an event. Raises ValueError for names that are no tokens."""
    if not _TYPE.fullmatch(type_):
        raise ValueError(f"not an event type: {type_!r}")
    return f"{_stream_subject(stream)}.{type_}"


def events_of_stream(stream: str) -> str:
    """The pattern of all events of one stream. Raises ValueError for a name that is no token."""
    return f"{_stream_subject(stream)}.>"


def events_of_category(category: str) -> str:
    """The pattern of all events of all streams of one category, such as `plan`. Raises ValueError."""
    if not _CATEGORY.fullmatch(category):
        raise ValueError(f"not a category of streams: {category!r}")
    return f"gonogo.v1.evt.{category}.>"


def command_subject(service: str) -> str:
    """Where a service takes requests: `gonogo.v1.cmd.planner`. Raises ValueError for a name that is no token."""
    if not _SERVICE.fullmatch(service):
        raise ValueError(f"not a service name: {service!r}")
    return f"gonogo.v1.cmd.{service}"


def _stream_subject(stream: str) -> str:
    parts = _STREAM.fullmatch(stream)
    if parts is None:
        raise ValueError(f"not a stream name: {stream!r}")
    return f"gonogo.v1.evt.{parts[1]}.{parts[2]}"
