"""The description of the HTTP interface: valid OpenAPI 3.1, and neither more nor less than what the gateway serves."""

import re
from typing import Any, cast

import jsonschema_rs
import msgspec
import msgspec.inspect
import pytest

from contracts.difference import difference
from contracts.http import Problem
from contracts.plan_events import Event
from contracts.record import Entry
from contracts.refusals import STATUS, Fault
from contracts.values import Content, Item, TextSpec, Value
from services.gateway.door import Door
from services.gateway.metrics import Metrics
from services.gateway.openapi import document
from services.gateway.problems import FAILURES
from services.gateway.route import Route
from tests.contract.test_explaining import parts

TEXT = {"type": "string", "minLength": 1}
SCHEMA = {"$ref": "https://json-schema.org/draft/2020-12/schema"}


def closed(needed: list[str], /, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": needed, "properties": properties, "additionalProperties": False}


CONTENT = {"type": "object", "minProperties": 1, "additionalProperties": closed(["schema"], schema=SCHEMA)}
PARAMETER = {
    **closed(
        ["name", "in", "schema"],
        name=TEXT,
        **{"in": {"enum": ["path", "query", "header"]}},
        required={"type": "boolean"},
        description=TEXT,
        schema=SCHEMA,
    ),
    "if": {"properties": {"in": {"const": "path"}}},
    "then": {"required": ["required"], "properties": {"required": {"const": True}}},
}
HEADER = closed(["schema"], description=TEXT, schema=SCHEMA)
RESPONSE = closed(
    ["description"], description=TEXT, content=CONTENT, headers={"type": "object", "additionalProperties": HEADER}
)
OPERATION = closed(
    ["operationId", "summary", "tags", "security", "parameters", "responses"],
    operationId={"type": "string", "pattern": "^[a-z_]+$"},
    summary=TEXT,
    description=TEXT,
    tags={"type": "array", "items": TEXT, "minItems": 1},
    security={
        "type": "array",
        "items": closed([], bearer={"type": "array", "maxItems": 0}, signature={"type": "array", "maxItems": 0}),
    },
    parameters={"type": "array", "items": PARAMETER, "uniqueItems": True},
    requestBody=closed(["content", "required"], content=CONTENT, required={"type": "boolean"}),
    responses={
        "type": "object",
        "minProperties": 1,
        "patternProperties": {"^[1-5][0-9][0-9]$": RESPONSE},
        "additionalProperties": False,
    },
)
DOCUMENT = closed(
    ["openapi", "info", "paths"],
    openapi={"const": "3.1.0"},
    info=closed(["title", "version"], title=TEXT, version=TEXT, description=TEXT),
    jsonSchemaDialect={"const": "https://json-schema.org/draft/2020-12/schema"},
    paths={
        "type": "object",
        "patternProperties": {
            "^/": {
                "type": "object",
                "minProperties": 1,
                "patternProperties": {"^(get|put|post|patch|delete)$": OPERATION},
                "additionalProperties": False,
            }
        },
        "additionalProperties": False,
    },
    components=closed(
        ["schemas", "securitySchemes"],
        schemas={
            "type": "object",
            "propertyNames": {"pattern": "^[a-zA-Z0-9._-]+$"},
            "additionalProperties": SCHEMA,
        },
        securitySchemes=closed(
            ["bearer", "signature"],
            bearer=closed(["type", "scheme"], type={"const": "http"}, scheme={"const": "bearer"}),
            signature=closed(["type", "in", "name"], type={"const": "apiKey"}, **{"in": TEXT}, name=TEXT),
        ),
    ),
    tags={"type": "array", "items": closed(["name"], name=TEXT), "uniqueItems": True},
)
"""The rules of OpenAPI 3.1.0 for the part of it that we use; whatever else is refused. Schemas by JSON Schema's own."""


@pytest.fixture(scope="module")
def described(routes: list[Route]) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(document(routes))
    return found


def operations(described: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, item in described["paths"].items()
        for method, operation in item.items()
    }


def test_the_description_is_valid_by_the_rules_of_openapi_3_1(described: dict[str, Any]) -> None:
    faults = [
        f"{e.instance_path}: {e.message}" for e in jsonschema_rs.Draft202012Validator(DOCUMENT).iter_errors(described)
    ]
    assert faults == []


@pytest.mark.parametrize(
    "breakage",
    [
        lambda d: d.update(openapi="3.0.0"),
        lambda d: d["paths"].update({"plans": {}}),
        lambda d: d["paths"]["/api/v1/plans"]["get"].pop("responses"),
        lambda d: d["paths"]["/api/v1/plans"]["get"]["responses"].update({"2xx": {"description": "x"}}),
        lambda d: d["paths"]["/api/v1/plans/{plan}"]["get"]["parameters"][0].update(required=False),
        lambda d: d["components"]["schemas"]["Done"].update(type="structure"),
    ],
)
def test_the_rules_find_a_broken_description(described: dict[str, Any], breakage: Any) -> None:
    broken = msgspec.json.decode(msgspec.json.encode(described))
    breakage(broken)
    assert not jsonschema_rs.Draft202012Validator(DOCUMENT).is_valid(broken)


def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    text = msgspec.json.encode(described).decode()
    references = set(re.findall(r'"\$ref":"(#[^"]+)"', text))
    assert references
    for reference in references:
        place: Any = described
        for part in reference.removeprefix("#/").split("/"):
            assert part in place, reference
            place = place[part]


def test_what_is_served_is_described_and_what_is_described_is_served(
    routes: list[Route], described: dict[str, Any]
) -> None:
    app = Door(routes, cast(Any, None), Metrics()).application()
    served = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource is not None}
    heads = {one for one in served if one[0] == "HEAD"}  # as GET without a body, by HTTP itself
    assert served - heads == set(operations(described))
    assert heads <= {("HEAD", path) for method, path in served if method == "GET"}


def test_what_is_answered_has_every_field_but_for_what_the_log_keeps_too(routes: list[Route]) -> None:
    answered = [msgspec.inspect.type_info(route.answer) for route in routes if route.answer is not None]
    done: set[type] = set()
    for part in [part for answer in [*answered, msgspec.inspect.type_info(Problem)] for part in parts(answer, done)]:
        if isinstance(part, msgspec.inspect.StructType) and not issubclass(part.cls, Event | Value):
            has_defaults = not all(field.required for field in part.fields)
            assert not (has_defaults and part.cls.__struct_config__.omit_defaults), part.cls


def test_what_is_always_answered_is_described_as_required_and_what_may_be_left_out_of_a_body_is_not(
    described: dict[str, Any],
) -> None:
    schemas = described["components"]["schemas"]
    for name in ("Entry", "Change", "Difference", "ItemsDifference", "Fault", "Done", "Health"):
        assert schemas[name]["required"] == list(schemas[name]["properties"]), name
    assert "faults" not in schemas["Problem"]["required"], "a problem without faults has no such member"
    assert "required" not in schemas["FilledTemplate"] or "values" not in schemas["FilledTemplate"]["required"]
    assert "labels" not in schemas["Content"].get("required", ())
    assert "may_fail" not in schemas["Item"]["required"]


def test_what_is_answered_can_be_checked_by_its_description(described: dict[str, Any]) -> None:
    old, new = Content(name="One"), Content(name="Two", items=(Item(id="a", name="A", spec=TextSpec(content="Do")),))
    entry = Entry(position=1, at="", actor="user:ana", channel="cli", verb="edit", target="plan")
    for answer in (difference(old, new), entry, Fault("/a", "is wrong")):
        rooted = {**described, "$ref": f"#/components/schemas/{type(answer).__name__}"}
        faults = jsonschema_rs.Draft202012Validator(rooted).iter_errors(
            msgspec.json.decode(msgspec.json.encode(answer))
        )
        assert [fault.message for fault in faults] == []


def test_every_operation_has_its_own_name(routes: list[Route]) -> None:
    names = [route.name for route in routes]
    assert len(names) == len(set(names))


def test_every_variable_part_of_an_address_is_described(described: dict[str, Any]) -> None:
    for (_, path), operation in operations(described).items():
        parts = [parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"]
        assert parts == re.findall(r"\{([a-z]+)\}", path)


def test_every_problem_code_that_is_announced_exists_and_stands_under_its_status(described: dict[str, Any]) -> None:
    known = {**STATUS, **FAILURES}
    for where, operation in operations(described).items():
        for status, response in operation["responses"].items():
            problem = response.get("content", {}).get("application/problem+json")
            if problem is not None:
                codes = problem["schema"]["allOf"][1]["properties"]["code"]["enum"]
                assert codes, where
                assert {known[code] for code in codes} == {int(status)}, where


def test_nothing_but_health_measurements_and_descriptions_is_open(routes: list[Route]) -> None:
    open_paths = {route.path for route in routes if route.access == "open"}
    descriptions = {"/openapi.json", "/asyncapi.json", "/schemas/plan-file.json"}
    assert open_paths == {"/healthz", "/readyz", "/metrics"} | descriptions


def test_no_plan_and_no_record_can_be_deleted(routes: list[Route]) -> None:
    """The reference deletes plans in any status and leaves their tasks, approvals and timers behind."""
    of_a_plan = {route.path for route in routes if route.method == "DELETE" and "{plan}" in route.path}
    assert of_a_plan == {"/api/v1/plans/{plan}/items/{item}", "/api/v1/plans/{plan}/presence"}


def test_changing_a_plan_as_a_whole_insists_on_a_version_and_a_vote_does_not(routes: list[Route]) -> None:
    insisting = {route.name for route in routes if route.if_match == "required"}
    items = {"put_item", "change_item", "remove_item", "move_item", "reorder_items"}
    moves = {"seal_plan", "submit_plan", "reopen_plan", "cancel_plan"}
    assert insisting == {"edit_plan", "put_section", "restore_plan"} | items | moves
