"""What other teams read of our events: valid AsyncAPI 3.0, every event once, nothing private, every example true."""

import re
from collections import Counter
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from contracts.public import PRIVATE
from contracts.registry import DECODERS, EVENTS
from contracts.subjects import COMMANDS, PRESENCE, WAKE, event_subject
from infra.bus import cloudevents
from tests.support.asyncapi import FILE, document
from tests.support.builders import created, facts
from tests.support.listening import Described

TEXT = {"type": "string", "minLength": 1}
SCHEMA = {"$ref": "http://json-schema.org/draft-07/schema#"}


def closed(needed: list[str], /, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": needed, "properties": properties, "additionalProperties": False}


def named(pattern: str, values: Any) -> dict[str, Any]:
    """An object whose names match."""
    return {"type": "object", "minProperties": 1, "patternProperties": {pattern: values}, "additionalProperties": False}


def reference(to: str) -> dict[str, Any]:
    return closed(["$ref"], **{"$ref": {"type": "string", "pattern": f"^#/{to}/[^/]+$"}})


NAME = r"^[A-Za-z0-9._-]+$"
ADDRESS = {"type": "string", "pattern": r"^gonogo\.v1\.evt\.[a-z_]+\.\{id\}\.\{type\}$"}
PARAMETER = closed(
    ["description"],
    description=TEXT,
    enum={"type": "array", "items": TEXT, "minItems": 1, "uniqueItems": True},
    examples={"type": "array", "items": TEXT},
    location={"type": "string", "pattern": r"^\$message\.(header|payload)#/"},
)
SERVER = closed(
    ["host", "protocol"],
    host=TEXT,
    protocol={"const": "nats"},
    description=TEXT,
    variables=named(NAME, closed([], description=TEXT, examples={"type": "array", "items": TEXT})),
    security={"type": "array", "items": reference("components/securitySchemes")},
)
CHANNEL = {
    **closed(
        ["address", "messages", "parameters"],
        address=ADDRESS,
        title=TEXT,
        servers={"type": "array", "items": reference("servers")},
        parameters=named("^(id|type)$", PARAMETER) | {"minProperties": 2},
        messages=named(NAME, reference("components/messages")),
    ),
    "patternProperties": {"^x-[a-z]+$": {"type": "object"}},
}
MESSAGE = closed(
    ["name", "contentType", "headers", "payload", "examples"],
    name=TEXT,
    title=TEXT,
    description=TEXT,
    contentType={"const": "application/json"},
    headers=SCHEMA,
    payload=reference("components/schemas"),
    examples={
        "type": "array",
        "minItems": 1,
        "items": closed(["headers", "payload"], headers={"type": "object"}, payload={"type": "object"}),
    },
)
OPERATION = closed(
    ["action", "channel"], action={"const": "receive"}, channel=reference("channels"), title=TEXT, summary=TEXT
)
DOCUMENT = closed(
    ["asyncapi", "info", "servers", "channels", "operations", "components"],
    asyncapi={"const": "3.0.0"},
    info=closed(["title", "version"], title=TEXT, version=TEXT, description=TEXT),
    defaultContentType={"const": "application/json"},
    servers=named(NAME, SERVER),
    channels=named(NAME, CHANNEL),
    operations=named(NAME, OPERATION),
    components=closed(
        [],
        messages=named(NAME, MESSAGE),
        schemas=named(NAME, SCHEMA),
        securitySchemes=named(NAME, closed(["type"], type={"const": "userPassword"}, description=TEXT)),
    ),
)
"""The rules of AsyncAPI 3.0.0 for the part of it that we use; whatever else is refused."""


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(FILE.read_bytes())
    return found


@pytest.fixture(scope="module")
def check(described: dict[str, Any]) -> Described:
    return Described(described)


def test_the_document_is_the_one_that_the_contracts_generate() -> None:
    assert FILE.read_bytes() == document(), "run `just words` and say in the commit what changed"


def test_the_document_is_valid_by_the_rules_of_asyncapi_3(described: dict[str, Any]) -> None:
    errors = jsonschema_rs.Draft7Validator(DOCUMENT).iter_errors(described)
    assert [f"{error.instance_path}: {error.message}" for error in errors] == []


@pytest.mark.parametrize(
    "breakage",
    [
        lambda d: d.update(asyncapi="2.6.0"),
        lambda d: d["servers"]["nats"].pop("host"),
        lambda d: d["channels"]["plan"].pop("address"),
        lambda d: d["channels"]["plan"]["messages"].update({"plan.sealed.v1": {"name": "not a reference"}}),
        lambda d: d["channels"]["plan"]["parameters"]["id"].update(schema={"type": "string"}),  # as in 2.x
        lambda d: d["operations"]["receive_plan"].update(action="subscribe"),  # as in 2.x
        lambda d: d["components"]["schemas"]["PlanSealed"].update(type="structure"),
        lambda d: d["components"]["messages"]["plan.sealed.v1"]["examples"][0].pop("payload"),
    ],
)
def test_the_rules_find_a_broken_document(described: dict[str, Any], breakage: Any) -> None:
    broken = msgspec.json.decode(msgspec.json.encode(described))
    breakage(broken)
    assert not jsonschema_rs.Draft7Validator(DOCUMENT).is_valid(broken)


def test_every_reference_leads_somewhere_and_every_schema_is_referred_to(described: dict[str, Any]) -> None:
    references = set(re.findall(r'"\$ref":"([^"]+)"', msgspec.json.encode(described).decode()))
    assert references
    for reference in references:
        place: Any = described
        for part in reference.removeprefix("#/").split("/"):
            assert part in place, reference
            place = place[part]
    assert {f"#/components/schemas/{name}" for name in described["components"]["schemas"]} <= references


def test_schemas_say_nothing_that_draft_07_would_not_see(described: dict[str, Any]) -> None:
    """There, what stands beside a reference is ignored; and AsyncAPI's `discriminator` is a text, OpenAPI's an object."""

    def parts(part: Any) -> Any:
        yield part
        for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
            yield from parts(each)

    for part in parts(described["components"]["schemas"]):
        if isinstance(part, dict):
            assert "$ref" not in part or len(part) == 1, part
            assert not {"discriminator", "prefixItems", "$defs"} & set(part), part


def test_every_event_type_is_described_once_and_heard_on_one_channel(described: dict[str, Any]) -> None:
    assert set(described["components"]["messages"]) == set(DECODERS)
    heard = Counter(name for channel in described["channels"].values() for name in channel["messages"])
    assert heard == Counter(DECODERS.keys())
    for channel in described["channels"].values():
        assert channel["parameters"]["type"]["enum"] == list(channel["messages"])
    for name, message in described["components"]["messages"].items():
        assert message["name"] == name


def test_every_channel_has_one_operation(described: dict[str, Any]) -> None:
    received = [operation["channel"]["$ref"] for operation in described["operations"].values()]
    assert sorted(received) == sorted(f"#/channels/{name}" for name in described["channels"])


def test_what_only_the_house_uses_is_not_offered(described: dict[str, Any]) -> None:
    text = msgspec.json.encode(described).decode()
    for subject in (WAKE, PRESENCE, COMMANDS.removesuffix("*")):
        assert subject not in text


@pytest.mark.parametrize("name", sorted(PRIVATE))
def test_private_fields_are_neither_in_the_schema_nor_in_the_example(described: dict[str, Any], name: str) -> None:
    schema = described["components"]["schemas"][EVENTS[name].__name__]
    (example,) = described["components"]["messages"][name]["examples"]
    assert not PRIVATE[name] & ({*schema["properties"], *schema["required"]} | set(example["payload"]))


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_every_example_is_a_message_as_described(described: dict[str, Any], check: Described, name: str) -> None:
    (example,) = described["components"]["messages"][name]["examples"]
    headers, payload = example["headers"], example["payload"]
    assert check.faults(name, event_subject(headers["ce-subject"], name), headers, payload) == []


@pytest.mark.parametrize(
    "change",
    [
        {"ce-actor": "user:olivia"},
        {"ce-sequence": "42"},
        {"ce-type": "plan.sealed.v1"},
        {"ce-subject": "run-0a"},
        {"ce-time": "yesterday"},
    ],
)
def test_other_headers_are_not_as_described(
    described: dict[str, Any], check: Described, change: dict[str, str]
) -> None:
    (example,) = described["components"]["messages"]["plan.created.v1"]["examples"]
    assert check.invalid("plan.created.v1", "headers", {**example["headers"], **change})


def test_headers_that_always_come_are_required_and_the_others_are_not(described: dict[str, Any]) -> None:
    schema = described["components"]["schemas"]["EventHeaders"]
    (bare,) = facts(created())
    full = msgspec.structs.replace(bare, cause=1, trace="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    assert sorted(schema["required"]) == sorted(cloudevents.headers(bare, "history"))
    assert sorted(schema["properties"]) == sorted(cloudevents.headers(full, "history"))
