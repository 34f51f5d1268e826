"""A small reader of iCalendar, written from RFC 5545 3.1 and 3.3.11 alone, so that the export is not read by its writer."""

import re

import msgspec

_ESCAPED = re.compile(r"\\(.)")


class Parsed(msgspec.Struct, frozen=True):
    """Events by UID: property name -> value, text unescaped."""

    events: dict[str, dict[str, str]]

    def event(self, uid: str) -> dict[str, str]:
        return self.events[uid]


def parse(text: str) -> Parsed:
    """Unfolds, checks that components nest, and takes the properties of each VEVENT."""
    lines = text.replace("\r\n ", "").replace("\r\n\t", "").split("\r\n")
    assert lines[0] == "BEGIN:VCALENDAR"
    assert lines[-2:] == ["END:VCALENDAR", ""]
    events: dict[str, dict[str, str]] = {}
    event: dict[str, str] | None = None
    open_: list[str] = []
    for line in lines[:-1]:
        head, colon, value = line.partition(":")
        assert colon, line
        name = head.split(";")[0]
        if name == "BEGIN":
            open_.append(value)
            event = {} if value == "VEVENT" else event
        elif name == "END":
            assert open_.pop() == value
            if value == "VEVENT":
                assert event is not None
                assert {"UID", "DTSTAMP", "DTSTART"} <= set(event), event
                assert event["UID"] not in events
                events[event["UID"]] = event
                event = None
        elif event is not None:
            assert name not in event, f"{name} stands twice"
            event[name] = _ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], value)
    assert not open_
    return Parsed(events)
