"""Answers that say no, as RFC 9457 problems: refusals with their facts and faults, failures of ours without internals.

An unexpected fault is logged with its trace id and shown as that id alone.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import web

from contracts.http import PROBLEM_TYPE
from contracts.refusals import STATUS, Fault, Refused
from infra.errors import Unavailable
from infra.tail import database_away

FAILURES: Mapping[str, int] = {"unavailable": 503, "internal": 500}
"""Codes that are no refusals: they say something about us, not about the request."""

_RESERVED = frozenset({"type", "title", "status", "detail", "instance", "code", "trace_id", "faults"})
_encode = msgspec.json.Encoder(enc_hook=str).encode


def status_of(code: str) -> int:
    """The HTTP status of a problem code. An unknown one, from a newer service, is a conflict."""
    return STATUS.get(code) or FAILURES.get(code, 409)


def title_of(code: str) -> str:
    """`Version conflict` of `version_conflict`: the same for every occurrence, as the RFC asks."""
    return code.replace("_", " ").capitalize()


def problem(
    code: str,
    detail: str,
    *,
    instance: str,
    trace_id: str,
    faults: Sequence[Fault] = (),
    facts: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """The answer. Facts become extension members; one that has a member's own name is left out."""
    members: dict[str, Any] = {
        "type": PROBLEM_TYPE + code,
        "title": title_of(code),
        "status": status_of(code),
        "detail": detail,
        "instance": instance,
        "code": code,
        "trace_id": trace_id,
    }
    if faults:
        members["faults"] = faults
    members |= {name: value for name, value in (facts or {}).items() if name not in _RESERVED}
    all_headers = {"Content-Type": "application/problem+json", "Cache-Control": "no-store", **(headers or {})}
    return web.Response(body=_encode(members), status=status_of(code), headers=all_headers)


def refusal(refused: Refused, *, instance: str, trace_id: str) -> web.Response:
    """The answer to what the rules forbid."""
    headers = {}
    if refused.code == "unauthenticated":
        error = ', error="invalid_token"' if refused.facts.pop("invalid_token", False) else ""
        headers["WWW-Authenticate"] = f'Bearer realm="gonogo"{error}'
    return problem(
        refused.code,
        refused.detail,
        instance=instance,
        trace_id=trace_id,
        faults=refused.faults,
        facts=refused.facts,
        headers=headers,
    )


def failure(error: Exception, *, instance: str, trace_id: str) -> web.Response | None:
    """The answer while a server that we need is away; `None` when the error is no such thing."""
    if isinstance(error, Unavailable):
        what, seconds = str(error), error.retry_after_seconds
    elif database_away(error):
        what, seconds = "the database is not available", 1.0
    else:
        return None
    retry_after = max(1, math.ceil(seconds))
    return problem(
        "unavailable",
        f"Not done, or not known: {what}. Send the same request, with the same Idempotency-Key, again.",
        instance=instance,
        trace_id=trace_id,
        facts={"retry_after": retry_after},
        headers={"Retry-After": str(retry_after)},
    )


def unexpected(*, instance: str, trace_id: str) -> web.Response:
    """The answer to a fault of ours. It shows nothing but the trace id, under which the log tells everything."""
    detail = "Something is wrong here that should not be. It is logged under this trace id."
    return problem("internal", detail, instance=instance, trace_id=trace_id)
