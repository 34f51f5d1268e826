"""The OpenAPI 3.1 document, made of the table of routes and of the contracts' types; nothing in it is written by hand."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import msgspec.inspect

from contracts.http import Callback, NewPlan, Problem
from contracts.refusals import Fault
from contracts.values import SECTIONS, Content
from services.gateway.problems import status_of
from services.gateway.route import Route

VERSION = "1"
_REF = "#/components/schemas/{name}"
_PART = re.compile(r"\{([a-z]+)\}")
_PROBLEM = {"$ref": _REF.format(name="Problem")}
_HEADERS: dict[str, tuple[str, dict[str, Any]]] = {
    "Idempotency-Key": (
        "Sent again with the same request, the first answer comes again; with another request it is refused.",
        {"type": "string", "minLength": 1, "maxLength": 200},
    ),
    "If-Match": ("The ETag of the version that you change, or *.", {"type": "string"}),
    "If-None-Match": ("The ETag that you have; 304 when it is still the newest.", {"type": "string"}),
    "Last-Event-ID": (
        "Where to go on: the id of the last event that you have.",
        {"type": "string", "pattern": "^[0-9]+$"},
    ),
    "webhook-id": ("Of a signed request: the id of the hook that is answered, or of your own.", {"type": "string"}),
    "webhook-timestamp": ("Of a signed request: when it was signed, in Unix seconds.", {"type": "string"}),
    "webhook-signature": (
        "Instead of a token: Standard Webhooks 1.0.0 with the secret of an endpoint (v1).",
        {"type": "string"},
    ),
    "Gonogo-Endpoint": (
        "Of a signed request: the name of the endpoint whose secret signs; else the one that the hook went to.",
        {"type": "string"},
    ),
    "Gonogo-Channel": ("By which channel you act, for the record.", {"enum": ["cli"]}),
}
_ANSWER_HEADERS = {
    "ETag": {"description": "The new version.", "schema": {"type": "string"}},
    "Gonogo-Position": {"description": "The log position up to which it is contained.", "schema": {"type": "string"}},
}


def document(routes: Sequence[Route]) -> bytes:
    """The document as JSON."""
    schemas, components = _schemas(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "GoNoGo",
                "version": VERSION,
                "description": "Release plans: drafted, sealed, approved, executed and proved, on one append-only log.",
            },
            "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
            "paths": paths,
            "components": {
                "schemas": components,
                "securitySchemes": {
                    "bearer": {"type": "http", "scheme": "bearer"},
                    "signature": {"type": "apiKey", "in": "header", "name": "webhook-signature"},
                },
            },
            "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in routes)],
        }
    )


def _schemas(routes: Iterable[Route]) -> tuple[dict[Any, dict[str, Any]], dict[str, Any]]:
    """Type -> its schema, and the components that the schemas refer to."""
    wanted = [kind for route in routes for kind in (route.body, route.answer) if kind not in {None, Any}]
    kinds = list(dict.fromkeys([*wanted, Problem, Content, NewPlan, Callback]))
    found, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    schemas = dict(zip(kinds, found, strict=True))
    sections = [{"$ref": f"{_REF.format(name='Content')}/properties/{name}"} for name in SECTIONS]
    schemas[Any] = {"anyOf": sections}
    components["Problem"]["additionalProperties"] = True
    _demand_what_is_always_sent(routes, components)
    return schemas, components


def _demand_what_is_always_sent(routes: Iterable[Route], components: dict[str, Any]) -> None:
    """A default says what a body may leave out; an answer has the field none the less, unless its type leaves defaults out.

    Where a type is in bodies as well, what it demands is what is demanded of them. A problem has faults only where it has.
    """
    answers = [route.answer for route in routes if route.answer not in {None, Any}]
    bodies = [route.body for route in routes if route.body not in {None, Any}]
    sent = _structs([*answers, Fault]) - _structs([*bodies, Content, NewPlan, Callback]) - {Problem}
    for kind in sent:
        if not kind.__struct_config__.omit_defaults and components.get(kind.__name__, {}).get("properties"):
            components[kind.__name__]["required"] = list(components[kind.__name__]["properties"])


def _structs(kinds: Iterable[Any]) -> set[type[msgspec.Struct]]:
    """The structs that these types are made of."""
    found: set[type[msgspec.Struct]] = set()
    left: list[Any] = list(msgspec.inspect.multi_type_info(list(kinds)))
    while left:
        one = left.pop()
        if isinstance(one, msgspec.inspect.StructType):
            if one.cls in found:
                continue
            found.add(one.cls)
        if isinstance(one, msgspec.inspect.Type | msgspec.inspect.Field):
            left += [getattr(one, name) for name in one.__struct_fields__]
        elif isinstance(one, tuple):
            left += one
    return found


def _operation(route: Route, schemas: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [route.tag],
        "security": _security(route),
        "parameters": [*_parts(route), *_query(route), *_headers(route)],
        "responses": _responses(route, schemas),
    }
    if route.access == "administrator":
        operation["description"] = "For administrators."
    if route.body is not None or route.media != "application/json":
        schema = {"type": "string"} if route.body is None else schemas[route.body]
        operation["requestBody"] = {
            "required": not route.body_optional,
            "content": {route.media: {"schema": schema}},
        }
    return operation


def _security(route: Route) -> list[dict[str, list[str]]]:
    if route.access == "open":
        return []
    return [{"bearer": []}, {"signature": []}] if route.access == "signed" else [{"bearer": []}]


def _parts(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PART.findall(route.path)
    ]


def _query(route: Route) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    schema = msgspec.json.schema(route.query)
    properties = schema["$defs"][route.query.__name__]["properties"]
    required = {field.encode_name for field in msgspec.structs.fields(route.query) if field.required}
    return [
        {"name": name, "in": "query", "required": name in required, "schema": part} for name, part in properties.items()
    ]


def _headers(route: Route) -> list[dict[str, Any]]:
    names = list(route.headers)
    if route.writes:
        names += ["Idempotency-Key", "If-Match", "Gonogo-Channel"]
    return [
        {
            "name": name,
            "in": "header",
            "required": name == "If-Match" and route.if_match == "required",
            "description": _HEADERS[name][0],
            "schema": _HEADERS[name][1],
        }
        for name in names
    ]


def _responses(route: Route, schemas: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    responses: dict[str, Any] = {str(route.status): _answer(route, schemas)}
    if "If-None-Match" in route.headers:
        responses["304"] = {"description": "You have the newest version."}
    if route.name == "readyz":
        responses["503"] = {**_answer(route, schemas), "description": "Not ready, and why."}
    by_status: dict[str, list[str]] = {}
    for code in route.all_codes:
        by_status.setdefault(str(status_of(code)), []).append(code)
    for status, codes in sorted(by_status.items()):
        responses[status] = {
            "description": "Problem: " + ", ".join(codes),
            "content": {
                "application/problem+json": {
                    "schema": {"allOf": [_PROBLEM, {"properties": {"code": {"enum": codes}}}]},
                }
            },
        }
    return responses


def _answer(route: Route, schemas: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": route.summary}
    if route.answer is not None:
        answer["content"] = {route.answer_media: {"schema": schemas[route.answer]}}
    if route.writes:
        answer["headers"] = dict(_ANSWER_HEADERS)
    return answer
