"""Plain data as YAML that a person likes to read and that reads back as the very same data.

Texts of several lines stand as they are, behind `|`; whatever YAML could take for something else is quoted. No aliases,
no tags.
"""

import re
from typing import Any

import yaml

_PLAIN_LINES = re.compile(r"[^\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]*")
_WIDE = 1 << 30


class _Dumper(yaml.SafeDumper):
    """Lists are indented below their name."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text))


def _style(text: str) -> str | None:
    if not _PLAIN_LINES.fullmatch(text):
        return '"'
    if "\n" not in text:
        return None
    # What cannot stand behind `|` in this form: leading spaces, and spaces at the end of a line.
    return '"' if text[0] in " \n" or " \n" in text or text.endswith(" ") else "|"


_Dumper.add_representer(str, _text)


def as_yaml(value: Any) -> str:
    """The YAML of dicts, lists, texts, numbers, truths and None. Fields keep their order."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDE, default_flow_style=False)
