"""Reading what was sent: bodies, query strings, headers. Each mistake becomes one refusal that names all of its faults.

A body is decoded once, by msgspec, into its type; only when that fails is it looked at again, by `contracts.shape`. A body
over the limit is not read to its end.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar, get_args, get_origin

import msgspec
from aiohttp import web

from contracts.refusals import Fault, Refused, pointer
from contracts.shape import faults_of, in_words

LARGEST_BODY_BYTES = 1 << 20
_BYTE = re.compile(r"\(byte (\d+)\)$")
_WHERE = re.compile(r" - at `(key in )?\$(.*)`$")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_CODINGS = frozenset({"identity", "gzip", "deflate"})
_ONCE = ("Idempotency-Key", "If-Match")
_ETAG = re.compile(r'"(\d{1,9})"')

T = TypeVar("T")


async def read_bytes(request: web.Request, media: str, largest: int = LARGEST_BODY_BYTES) -> bytes:
    """The whole body. Raises Refused: too large, or of another media type than this (an empty one has none)."""
    length = request.content_length
    if length is not None and length > largest:
        raise _too_large(largest)
    reader = request if largest == LARGEST_BODY_BYTES else request.clone(client_max_size=largest)
    try:
        body = await reader.read()
    except web.HTTPRequestEntityTooLarge:
        raise _too_large(largest) from None
    except web.RequestPayloadError:
        raise Refused("malformed_body", "The body is not encoded as its Content-Encoding says.") from None
    if body:
        _demand_media(request, media)
    return body


def _too_large(largest: int) -> Refused:
    return Refused("body_too_large", f"The body is larger than {largest} bytes.", largest_bytes=largest)


def _demand_media(request: web.Request, media: str) -> None:
    coding = request.headers.get("Content-Encoding", "identity")
    if coding not in _CODINGS and coding.lower() not in _CODINGS:
        raise Refused("unsupported_media_type", "Send the body plain, or with one Content-Encoding: gzip or deflate.")
    given = request.content_type
    if given == media or (media == "text/markdown" and given in {"text/plain", "text/x-markdown"}):
        return
    if media == "application/json" and given.startswith("application/") and given.endswith("+json"):
        return
    shown = given if "Content-Type" in request.headers else "none"
    raise Refused("unsupported_media_type", f"Send the body as {media}; this one says {shown}.", accepted=[media])


class Body(Generic[T]):
    """Decodes bodies of one type."""

    def __init__(self, wanted: Any, *, optional: bool = False) -> None:
        """`optional`: no body at all is read as `{}`."""
        self._decode = msgspec.json.Decoder(wanted).decode
        self._wanted = wanted
        self._optional = optional

    def read(self, body: bytes) -> T:
        """The value. Raises Refused with every fault that can be found."""
        if not body and self._optional:
            body = b"{}"
        try:
            value: T = self._decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self._refusal(body, error) from None
        if b"\\u0000" in body:
            _refuse_nul(untyped(body))
        return value

    def _refusal(self, body: bytes, error: Exception) -> Refused:
        value = untyped(body)
        _refuse_nul(value)
        faults = faults_of(value, self._wanted) or (_own_fault(error),)
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        return Refused("invalid_body", f"The body has {count}.", faults)


def untyped(body: bytes) -> Any:
    """Any JSON value. Raises Refused(malformed_body) with line and column where it is none."""
    if not body.strip():
        raise Refused("malformed_body", "There is no body; this needs one, as application/json.")
    try:
        return msgspec.json.decode(body)
    except UnicodeDecodeError:
        at = _first_bad_byte(body)
        raise _malformed("it is not UTF-8", body, at) from None
    except RecursionError:
        raise Refused("malformed_body", "The body is nested too deeply.") from None
    except msgspec.DecodeError as error:
        text = str(error).removeprefix("JSON is malformed: ")
        where = _BYTE.search(text)
        at = int(where[1]) if where else len(body)
        what = "it ends too early" if text == "Input data was truncated" else _BYTE.sub("", text).strip()
        raise _malformed(what, body, at) from None


def _malformed(what: str, body: bytes, at: int) -> Refused:
    before = body[:at]
    line = before.count(b"\n") + 1
    column = len(before[before.rfind(b"\n") + 1 :].decode(errors="replace")) + 1
    detail = f"The body is not JSON: {what} (line {line}, column {column})."
    return Refused("malformed_body", detail, line=line, column=column)


def _first_bad_byte(body: bytes) -> int:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return error.start
    return len(body)


def _own_fault(error: Exception) -> Fault:
    """msgspec's first and only fault, its path turned into a pointer."""
    text = str(error)
    where = _WHERE.search(text)
    if where is None:
        return Fault("", text)
    path = [name or index for name, index in _STEP.findall(where[2])]
    return Fault(pointer(part for part in path if part != "..."), text[: where.start()])


def _refuse_nul(value: object) -> None:
    """U+0000 cannot be kept in a text column; every other character can."""
    faults = tuple(Fault(pointer(path), "must not contain the character U+0000") for path in _nuls(value))
    if faults:
        raise Refused("invalid_body", "The body has the character U+0000 in it.", faults)


def _nuls(value: object) -> Iterator[tuple[str | int, ...]]:
    """Where the character is. By a stack of our own: a body may be nested deeper than Python calls itself."""
    left: list[tuple[tuple[str | int, ...], object]] = [((), value)]
    while left:
        path, part = left.pop()
        match part:
            case str() if "\x00" in part:
                yield path
            case dict():
                yield from (path for name in part if "\x00" in name)
                left += [((*path, name), one) for name, one in reversed(part.items())]
            case list():
                left += [((*path, index), one) for index, one in reversed(list(enumerate(part)))]


class Query(Generic[T]):
    """Reads query strings into a struct; a field of several values takes repetitions and commas."""

    def __init__(self, wanted: type[T]) -> None:
        self._wanted = wanted
        self._fields = {field.encode_name: field for field in msgspec.structs.fields(wanted)}  # type: ignore[arg-type]  # a struct by contract

    def read(self, request: web.Request) -> T:
        """The struct. Raises Refused(invalid_parameter) with every fault, misspelt names included."""
        values: dict[str, Any] = {}
        faults: list[Fault] = []
        query = request.query
        for name in dict.fromkeys(query):
            field = self._fields.get(name)
            if field is None:
                faults.append(Fault(name, "is not a known parameter", "unknown_parameter"))
                continue
            given = query.getall(name)
            try:
                values[field.name] = _parameter(given, field.type)
            except msgspec.ValidationError as error:
                found = in_words(_several(given) if is_several(field.type) else given[0], field.type)
                faults += [Fault(name, detail) for detail in found or (_own_fault(error).detail,)]
            except ValueError as error:
                faults.append(Fault(name, str(error)))
        faults += [
            Fault(name, "is missing", "missing")
            for name, field in self._fields.items()
            if field.required and name not in query
        ]
        if faults:
            count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
            raise Refused("invalid_parameter", f"The query string has {count}.", faults)
        return self._wanted(**values)


def _parameter(given: list[str], wanted: Any) -> Any:
    if any("\x00" in text for text in given):
        raise ValueError("must not contain the character U+0000")
    if is_several(wanted):
        return msgspec.convert(_several(given), wanted)
    if len(given) > 1:
        raise ValueError("is given more than once")
    # A number is read from its text, but a time is not read from a number: 2026 would be a moment of 1970.
    return msgspec.convert(given[0], wanted, strict=_is_time(wanted))


def _several(given: list[str]) -> list[str]:
    return [part for text in given for part in text.split(",") if part]


def _is_time(wanted: Any) -> bool:
    kinds = (wanted, *get_args(wanted))
    return any(datetime in (kind, getattr(kind, "__origin__", None)) for kind in kinds)


def is_several(wanted: Any) -> bool:
    """Whether a parameter of this type takes several values."""
    bare = wanted.__origin__ if hasattr(wanted, "__metadata__") else wanted
    return get_origin(bare) is tuple


def refuse_repeated(request: web.Request) -> None:
    """Which of two keys or versions is meant, nobody can know. Raises Refused."""
    faults = [Fault(name, "is given more than once") for name in _ONCE if len(request.headers.getall(name, ())) > 1]
    if faults:
        raise Refused("invalid_parameter", "A header stands there twice that may stand there once.", faults)


def idempotency_key(headers: Mapping[str, str]) -> str | None:
    """The asker's key, with or without the quotes of a structured field (draft-ietf-httpapi-idempotency-key-header-07)."""
    given = headers.get("Idempotency-Key")
    if given is None:
        return None
    key = given.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not _KEY.fullmatch(key):
        detail = "Idempotency-Key must be 1 to 200 visible ASCII characters."
        raise Refused("invalid_parameter", detail, [Fault("Idempotency-Key", "is not a key")])
    return key


def if_match(headers: Mapping[str, str], *, required: bool) -> int | None:
    """The stream version that the asker insists on; `None` for `*` and for no header (RFC 9110 13.1.1).

    Raises Refused: precondition_required when it must be there, version_conflict for a tag that can never match.
    """
    given = headers.get("If-Match", "").strip()
    if not given:
        if required:
            detail = 'Say which version you change: If-Match with the ETag that you read, such as "7", or *.'
            raise Refused("precondition_required", detail)
        return None
    if given == "*":
        return None
    tag = _ETAG.fullmatch(given)
    if tag is None:
        detail = f'If-Match must be * or one strong ETag as we gave it, such as "7"; this is {given[:100]}.'
        raise Refused("invalid_parameter", detail, [Fault("If-Match", "is not an ETag of ours")])
    return int(tag[1])
