"""What a route is: its address, what it reads and answers, who may use it, and the function that serves it.

One table of these makes the router, the access rules, the metrics' labels and the OpenAPI document, so that none of them
can say anything that the others do not.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Literal

import msgspec
from aiohttp import web

from contracts.commands import Actor
from services.gateway.trace import Trace


class Call:
    """One request on its way through its route."""

    __slots__ = ("actor", "request", "route", "trace")

    def __init__(self, request: web.Request, route: "Route", actor: Actor, trace: Trace) -> None:
        self.request = request
        self.route = route
        self.actor = actor
        self.trace = trace

    def part(self, name: str) -> str:
        """A variable part of the address, decoded."""
        return self.request.match_info[name]


Handler = Callable[[Call], Awaitable[web.StreamResponse]]
Access = Literal["open", "user", "signed", "administrator"]
"""`signed`: a user, or somebody without a token who signed the request; whose signature it is, the service finds out."""

READING = ("unauthenticated", "unavailable")
WRITING = (*READING, "forbidden", "idempotency_key_reused", "version_conflict", "invalid_parameter")
BODY = ("malformed_body", "invalid_body", "body_too_large", "unsupported_media_type")


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """`answer` is the type of the answer's JSON, `None` where it is not JSON; `codes` are the problems beyond the usual.

    `body` is the type of the JSON that is read; `media` the type of content; `query` a struct of what may stand behind the
    question mark; `headers` name what else is heeded. `writes`: takes `Idempotency-Key` and `If-Match`.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    handler: Handler
    name: str
    summary: str
    tag: str
    answer: Any = None
    status: int = 200
    answer_media: str = "application/json"
    body: Any = None
    media: str = "application/json"
    body_optional: bool = False
    query: type[msgspec.Struct] | None = None
    codes: tuple[str, ...] = ()
    access: Access = "user"
    writes: bool = False
    if_match: Literal["optional", "required"] = "optional"
    channel: str = "http"
    headers: tuple[str, ...] = ()

    @property
    def all_codes(self) -> tuple[str, ...]:
        """Every problem that this route may answer with, sorted."""
        codes = set(self.codes) | {"internal", "malformed_request"}
        if self.access != "open":
            codes |= set(WRITING if self.writes else READING)
        if self.access == "administrator":
            codes.add("forbidden")
        if self.body is not None or self.media != "application/json":
            codes |= set(BODY)
        if self.query is not None:
            codes.add("invalid_parameter")
        if self.writes and self.if_match == "required":
            codes.add("precondition_required")
        return tuple(sorted(codes))
