"""The JSON Schemas of the words, generated. `python -m tests.support.words` writes them; a test fails on drift.

It also writes the AsyncAPI document, whose payloads are the public forms of the same words.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from contracts import commands, record, registry
from tests.support import asyncapi

FOLDER = Path(__file__).parents[2] / "contracts" / "schemas"
OTHERS: Mapping[str, type] = {
    "request": commands.Request,
    "accepted": commands.Accepted,
    "refused": commands.Denied,
    "failed": commands.Failed,
    "record-entry": record.Entry,
}


def schemas() -> dict[str, bytes]:
    """File name -> its bytes, for every event and every other word that travels."""
    kinds: dict[str, type] = {**registry.EVENTS, **OTHERS}
    return {f"{name}.json": _text(msgspec.json.schema(kind)) for name, kind in kinds.items()}


def _text(schema: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(schema, order="sorted"), indent=1) + b"\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for file in FOLDER.glob("*.json"):
        file.unlink()
    for name, text in schemas().items():
        (FOLDER / name).write_bytes(text)
    asyncapi.FILE.write_bytes(asyncapi.document())
    print(f"{len(schemas())} schemas and {asyncapi.FILE.name} written")
