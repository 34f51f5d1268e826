"""The AsyncAPI 3.0 document of what other teams can listen to, generated from the contracts. `just words` writes it.

It says what the relay really publishes: subjects, CloudEvents headers, payloads in their public form. What only the house
uses is not in it: commands, the doorbell, presence. Schemas keep to JSON Schema draft 07, which AsyncAPI's are made of.
"""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from contracts.envelope import Fact, leaf_hash
from contracts.public import PRIVATE, public_form
from contracts.registry import EVENTS
from contracts.subjects import STREAM, category_of, event_subject, events_of_category
from infra.bus import cloudevents
from infra.embedded.users import OBSERVER, OBSERVER_API

CONTRACTS = Path(__file__).parents[2] / "contracts"
FILE = CONTRACTS / "asyncapi.json"
SAMPLES = CONTRACTS / "samples"

_SCHEMA = "#/components/schemas/{name}"
_HEADERS = "EventHeaders"
_EPOCH = "5f0c2a518d7e4c359a6b1d2e3f405162"
_ID = "68b7ec363306e52e21b2dbe6"
_TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

_INFO = f"""
Every event of GoNoGo, from the plan that is drafted to the hook that is answered, in the order in which it happened.

**What is promised**

* The JetStream stream `{STREAM}` mirrors the log: its message *p* is event *p* of the log, and none is missing, changed or
  taken out. Stream sequence, `ce-sequence` and the positions that the HTTP interface tells are one number.
* At least once: read by a pull consumer with explicit acknowledgements, and keep as your checkpoint the position of the last
  event that you have dealt with, together with what you made of it. What comes at or below the checkpoint is a repetition.
* The stream is a copy and may be made anew from the log at any time; its consumers vanish with it. Create your consumer again
  with `deliver_policy: by_start_sequence` and `opt_start_seq` = checkpoint + 1.
* Keep `ce-leafhash` of what you have read. Before you create the consumer again, look at the message of your checkpoint by a
  direct get, and wait while there is none. Where it has another leaf hash, the log was restored from a backup: what you hold
  beyond the last event that is the same did not happen. The part of `ce-id` before the slash names the history; the stream's
  metadata has it as `gonogo_epoch`. It is another one after a restore, so no `ce-id` is given to a second event; what is the
  same in both histories comes again under new ids and its old leaf hashes.
* A type is versioned by its name. `plan.sealed.v1` never changes its meaning; it may gain fields that can be absent. What
  cannot be said so gets a new name, `plan.sealed.v2`. Skip types and fields that you do not know. A field that has its default
  value is left out.
* Payloads are in their public form: private fields are left out. `ce-leafhash` covers the whole event, as the log keeps it.

**What is not promised**

* A plain subscription, without JetStream, may wake you and never inform you: it misses what is sent while you are away, and
  hears what the stream refuses.
* Nothing can be asked or changed here. That is what the HTTP interface is for: `/openapi.json`.
* Headers that begin with `Nats-` belong to the transport, and may be there or not.
"""

_TEXT = {"type": "string"}
_HEADER: Mapping[str, tuple[bool, dict[str, Any]]] = {
    "ce-specversion": (True, {"const": "1.0"}),
    "ce-id": (
        True,
        {
            "description": "Unique: `<history>/<log position>`. The same at each repetition.",
            "pattern": "^[^/]+/[0-9]+$",
        },
    ),
    "ce-source": (True, {"const": cloudevents.SOURCE}),
    "ce-type": (True, {"description": "The event's type, with its version."}),
    "ce-subject": (
        True,
        {
            "description": "The stream of the log whose event this is: `<category>-<id>`.",
            "pattern": "^[a-z_]+-[0-9a-f]+$",
        },
    ),
    "ce-time": (True, {"description": "When the command was accepted.", "format": "date-time"}),
    "ce-recordedtime": (
        True,
        {"description": "When it was recorded, by the database's clock, which never goes back.", "format": "date-time"},
    ),
    "ce-sequence": (True, {"description": "The log position. Sorts like the number.", "pattern": "^[0-9]{20}$"}),
    "ce-streamversion": (
        True,
        {"description": "The number of the event in its own stream, from 1.", "pattern": "^[1-9][0-9]*$"},
    ),
    cloudevents.LEAF: (
        True,
        {"description": "SHA-256 over envelope and payload, a leaf of the audit tree.", "pattern": "^[0-9a-f]{64}$"},
    ),
    "ce-causationid": (
        False,
        {"description": "`ce-id` of the event upon which this one was decided.", "pattern": "^[^/]+/[0-9]+$"},
    ),
    "ce-traceparent": (False, {"description": "W3C Trace Context of the command."}),
    "traceparent": (False, {"description": "The same, where tracing libraries look for it."}),
    "content-type": (True, {"const": "application/json"}),
}


def document() -> bytes:
    """The document as JSON."""
    categories = list(dict.fromkeys(map(category_of, EVENTS)))
    found = {
        "asyncapi": "3.0.0",
        "info": {"title": "GoNoGo events", "version": "1", "description": _INFO.strip()},
        "defaultContentType": "application/json",
        "servers": {"nats": _server()},
        "channels": {category: _channel(category) for category in categories},
        "operations": {f"receive_{category}": _operation(category) for category in categories},
        "components": {
            "messages": {name: _message(name) for name in EVENTS},
            "schemas": {_HEADERS: _header_schema(), **payload_schemas()},
            "securitySchemes": {
                OBSERVER: {
                    "type": "userPassword",
                    "description": f"The user `{OBSERVER}`, which can read and nothing else.",
                }
            },
        },
    }
    return msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n"


def _server() -> dict[str, Any]:
    return {
        "host": "{address}",
        "protocol": "nats",
        "description": f"NATS with JetStream. Its API is reached under `{OBSERVER_API}` instead of `$JS.API`.",
        "variables": {
            "address": {"description": "Host and port, told by whoever runs it.", "examples": ["nats.example.org:4222"]}
        },
        "security": [_ref("securitySchemes", OBSERVER)],
    }


def _channel(category: str) -> dict[str, Any]:
    names = [name for name in EVENTS if category_of(name) == category]
    return {
        "address": event_subject(f"{category}-0", "x").removesuffix("0.x") + "{id}.{type}",
        "title": f"Events of `{category}-<id>` streams",
        "servers": [{"$ref": "#/servers/nats"}],
        "parameters": {
            "id": {"description": "The stream's id: hexadecimal digits, one token.", "examples": [_ID]},
            "type": {
                "description": "The event's type. Each of its dots parts two tokens of the subject.",
                "enum": names,
                "location": "$message.header#/ce-type",
            },
        },
        "messages": {name: _ref("messages", name) for name in names},
        "x-jetstream": {
            "stream": STREAM,
            "filter_subject": events_of_category(category),
            "api_prefix": OBSERVER_API,
            "ack_policy": "explicit",
        },
    }


def _operation(category: str) -> dict[str, Any]:
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{category}"},
        "summary": f"Hear what happens in `{category}-<id>` streams.",
    }


def _message(name: str) -> dict[str, Any]:
    own = {"ce-type": {"const": name}, "ce-subject": {"pattern": f"^{category_of(name)}-[0-9a-f]+$"}}
    found = {
        "name": name,
        "title": EVENTS[name].__name__,
        "contentType": "application/json",
        "headers": {"allOf": [_ref("schemas", _HEADERS), {"type": "object", "properties": own}]},
        "payload": _ref("schemas", EVENTS[name].__name__),
        "examples": [_example(name)],
    }
    if name in PRIVATE:
        found["description"] = f"Private, never sent: {', '.join(f'`{field}`' for field in sorted(PRIVATE[name]))}."
    return found


def _example(name: str) -> dict[str, Any]:
    sample = (SAMPLES / f"{name}.json").read_bytes().strip()
    at = 1_795_208_523_000_004
    stream = f"{category_of(name)}-{_ID}"
    fact = Fact(42, stream, 7, name, at, at + 1_250, "user:olivia", "http", "a-key", 0, 41, _TRACE, sample, b"")
    headers = cloudevents.headers(msgspec.structs.replace(fact, leaf=leaf_hash(fact)), _EPOCH)
    return {"headers": headers, "payload": msgspec.json.decode(public_form(name, sample))}


def _header_schema() -> dict[str, Any]:
    return {
        "description": "CloudEvents 1.0.2 in binary mode. Values are percent-encoded as its NATS binding says.",
        "type": "object",
        "properties": {name: {**_TEXT, **schema} for name, (_, schema) in _HEADER.items()},
        "required": [name for name, (always, _) in _HEADER.items() if always],
        "patternProperties": {"^Nats-": {**_TEXT, "description": "The transport's own. Not for you."}},
        "additionalProperties": False,
    }


def payload_schemas() -> dict[str, Any]:
    """The public form of every event, by the name of its struct, and all that those refer to."""
    _, found = msgspec.json.schema_components(list(EVENTS.values()), ref_template=_SCHEMA)
    for name, private in PRIVATE.items():
        schema = found[EVENTS[name].__name__]
        schema["properties"] = {field: part for field, part in schema["properties"].items() if field not in private}
        schema["required"] = [field for field in schema.get("required", ()) if field not in private]
    wanted: dict[str, Any] = {}
    for kind in EVENTS.values():
        _collect(kind.__name__, found, wanted)
    return {name: _draft_07(wanted[name]) for name in sorted(wanted)}


def _collect(name: str, found: Mapping[str, Any], wanted: dict[str, Any]) -> None:
    """Add this schema and those that it refers to: what only private fields refer to stays out."""
    if name in wanted:
        return
    wanted[name] = found[name]
    for reference in _references(found[name]):
        _collect(reference.rpartition("/")[2], found, wanted)


def _references(part: Any) -> list[str]:
    if isinstance(part, list):
        return [reference for each in part for reference in _references(each)]
    if not isinstance(part, dict):
        return []
    own = [part["$ref"]] if "$ref" in part else []
    return own + [reference for each in part.values() for reference in _references(each)]


def _draft_07(part: Any) -> Any:
    """The same without what draft 07 has not: something beside a `$ref`, and OpenAPI's kind of `discriminator`."""
    if isinstance(part, list):
        return [_draft_07(each) for each in part]
    if not isinstance(part, dict):
        return part
    told = {key: _draft_07(each) for key, each in part.items() if not (key == "discriminator" and "anyOf" in part)}
    if isinstance(told.get("description"), str):
        told["description"] = inspect.cleandoc(told["description"])
    if "$ref" in told and len(told) > 1:
        told["allOf"] = [{"$ref": told.pop("$ref")}]
    return told


def _ref(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}
