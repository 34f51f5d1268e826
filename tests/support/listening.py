"""Holds real messages against the AsyncAPI document, as another team's listener would that was generated from it."""

import re
from collections.abc import Mapping
from typing import Any

import jsonschema_rs


class Described:
    """The document, ready for checking."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._channels: dict[str, re.Pattern[str]] = {}
        for channel in document["channels"].values():
            for name in channel["messages"]:
                self._channels[name] = _pattern(channel["address"], name)
        components = {"components": document["components"]}
        self._validators = {
            (name, part): jsonschema_rs.Draft7Validator({"allOf": [message[part]], **components}, validate_formats=True)
            for name, message in document["components"]["messages"].items()
            for part in ("headers", "payload")
        }

    def faults(self, name: str, subject: str, headers: Mapping[str, str], payload: Any) -> list[str]:
        """What of a message of this type is not as described; empty where all is."""
        found = [] if self._channels[name].fullmatch(subject) else [f"subject {subject}"]
        return found + self.invalid(name, "headers", dict(headers)) + self.invalid(name, "payload", payload)

    def invalid(self, name: str, part: str, value: Any) -> list[str]:
        """Why these headers, or this payload, are not those of the type; empty where they are."""
        errors = self._validators[name, part].iter_errors(value)
        return [f"{name} {part} {error.instance_path}: {error.message}" for error in errors]


def _pattern(address: str, name: str) -> re.Pattern[str]:
    """The subjects of one type: one token for the id, the type as it is."""
    return re.compile(re.escape(address).replace(r"\{id\}", "[^.]+").replace(r"\{type\}", re.escape(name)))
