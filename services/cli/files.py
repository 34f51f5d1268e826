"""Files that a person names on the command line; `-` is stdin. Each failure is a sentence, never a stack trace."""

import sys
from pathlib import Path
from typing import Any

import msgspec

from services.cli.problems import usage

_LARGEST_BYTES = 16 * 1024 * 1024


def called(name: str) -> str:
    """How a person calls this file."""
    return "stdin" if name == "-" else name


def read_bytes(name: str) -> bytes:
    """The content of a file."""
    try:
        if name == "-":
            content = sys.stdin.buffer.read(_LARGEST_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                content = file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        raise usage(f"{called(name)} cannot be read: {(error.strerror or str(error)).lower()}.") from None
    if len(content) > _LARGEST_BYTES:
        raise usage(f"{called(name)} is larger than {_LARGEST_BYTES // 1024 // 1024} MiB.")
    return content


def read_text(name: str) -> str:
    """The content of a file of UTF-8 text."""
    try:
        return read_bytes(name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise usage(f"{called(name)} is not UTF-8 text (byte {error.start}).") from None


def read_json(name: str) -> Any:
    """The JSON document in a file."""
    try:
        return msgspec.json.decode(read_bytes(name))
    except msgspec.DecodeError as error:
        raise usage(f"{called(name)} is not JSON: {error}.") from None
