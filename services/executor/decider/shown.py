"""Whether a step's `shown_as` is a job that receivers written for the reference can read. Pure.

Fields that the type does not have are refused, so that a misspelt one is seen, and so are numbers that not everybody writes
alike, since a workflow's digest is over its canonical form (`contracts.canonical`); a credential is given as an input or as
`secret:NAME`, never by its value, since a definition stays in the log.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from contracts.hook_jobs import JOB_SPECS
from contracts.refusals import Fault
from contracts.workflow import ShownAs


def shown_faults(path: str, shown: ShownAs) -> Iterator[Fault]:
    """Everything that is wrong; `path` is that of `shown_as`."""
    try:
        spec = msgspec.convert(shown.spec, JOB_SPECS[shown.type])
    except msgspec.ValidationError as error:
        yield Fault(f"{path}/spec", f"is no specification of a {shown.type} job: {error}")
        return
    yield from _unknown(f"{path}/spec", shown.spec, msgspec.to_builtins(spec))
    yield from _in_clear(f"{path}/spec", shown.spec)
    yield from _not_exact(f"{path}/spec", shown.spec)


def _unknown(path: str, given: Any, read: Any) -> Iterator[Fault]:
    """What was given and not read."""
    if isinstance(given, dict) and isinstance(read, dict):
        for name, value in given.items():
            if name in read:
                yield from _unknown(f"{path}/{name}", value, read[name])
            else:
                yield Fault(f"{path}/{name}", "there is no such field")
    elif isinstance(given, list | tuple) and isinstance(read, list | tuple):
        for i, (one, other) in enumerate(zip(given, read, strict=True)):
            yield from _unknown(f"{path}/{i}", one, other)


def _in_clear(path: str, given: Any) -> Iterator[Fault]:
    if isinstance(given, list | tuple):
        for i, one in enumerate(given):
            yield from _in_clear(f"{path}/{i}", one)
    if not isinstance(given, dict):
        return
    value = given.get("value", "")
    if given.get("is_credential") is True and value and not value.startswith(("secret:", "{{")):
        detail = "is a credential: give {{inputs.NAME}} or secret:NAME, never its value"
        yield Fault(f"{path}/value", detail, "credential_in_clear")
    for name, inner in given.items():
        yield from _in_clear(f"{path}/{name}", inner)


def _not_exact(path: str, given: Any) -> Iterator[Fault]:
    if isinstance(given, dict):
        for name, value in given.items():
            yield from _not_exact(f"{path}/{name}", value)
    elif isinstance(given, list | tuple):
        for i, one in enumerate(given):
            yield from _not_exact(f"{path}/{i}", one)
    elif isinstance(given, int) and abs(given) >= 2**53:
        yield Fault(path, "must be a whole number below 2^53")
