"""What an input may refer to: an output of an item that ran before, as `${items.build.outputs.image}`.

A value may hold any text with any number of such references. `$${` stands for a plain `${`; a `${` of anything else than
`items.` is plain text, so that a template of somebody else's passes through. The seal binds the expression, not its
value; the value is put in when the item starts. Nothing here is evaluated: a value that was put in is never looked at again.
"""

import re
from collections.abc import Mapping

import msgspec

from contracts.values import Item, WorkflowSpec

_WORD = re.compile(r"\$\$\{|\$\{items\.[^}]*\}?")
_WHOLE = re.compile(r"\$\{items\.([A-Za-z0-9][A-Za-z0-9._-]{0,63})\.outputs\.([A-Za-z_][A-Za-z0-9_]{0,63})\}")


class Reference(msgspec.Struct, frozen=True):
    """One reference, as it is written in `text`. `item` and `output` are empty where it is not written rightly."""

    text: str
    item: str = ""
    output: str = ""


def references(value: str) -> tuple[Reference, ...]:
    """The references in a value, in order, also those that are not written rightly."""
    return tuple(_read(word) for word in _WORD.findall(value) if word != "$${")


def _read(word: str) -> Reference:
    whole = _WHOLE.fullmatch(word)
    return Reference(word, whole[1], whole[2]) if whole else Reference(word)


def with_outputs(value: str, outputs: Mapping[tuple[str, str], str]) -> str:
    """The value with its references replaced by `outputs`, by item and output. Raises KeyError for one that is missing."""

    def put(found: re.Match[str]) -> str:
        if found[0] == "$${":
            return "${"
        reference = _read(found[0])
        return outputs[reference.item, reference.output]

    return _WORD.sub(put, value)


def sources_of(item: Item) -> frozenset[str]:
    """The items whose outputs this one uses."""
    if not isinstance(item.spec, WorkflowSpec):
        return frozenset()
    return frozenset(one.item for value in item.spec.inputs.values() for one in references(value) if one.item)
