"""Endpoints of hooks: put, shown, rotated, switched, tested. They are kept in the log, their secrets in the key store.

A secret comes in and never goes out: not in an answer, not in an event, not in a command. Each new one gets a new name in the
key store, so a refused order changes nothing; one that no overlap needs any more is shredded.
"""

from typing import Any

from aiohttp import web

from contracts import commands as c
from contracts import hook_commands as o
from contracts import http as h
from contracts.delivery import Signing
from contracts.endpoint_state import Endpoint, fold_endpoint
from contracts.moments import moment
from contracts.refusals import Fault, Refused
from infra.clock import Clock
from infra.config import Secret
from infra.eventlog import EventLog
from infra.ids import derived_id, random_id
from infra.keystore import KeyStore
from infra.postgres import Row, load_sql
from infra.signing import PRIVATE_PREFIX, SigningKey, new_private_key
from services.gateway.bodies import Body, read_bytes
from services.gateway.names import slug_of
from services.gateway.orders import Orders, done, json_answer, order_of
from services.gateway.route import Call, Route
from services.gateway.routes.setting_up import key_store_of

_PATH = "/api/v1/endpoints/{name}"


def endpoint_routes(orders: Orders, log: EventLog, key_store: KeyStore | None, clock: Clock) -> list[Route]:
    """Everything about endpoints. Administrators only."""
    endpoints = Endpoints(orders, log, key_store, clock)
    return [*_setting(endpoints), *_showing(endpoints), *_switching(endpoints)]


def _route(**table: Any) -> Route:
    return Route(tag="hooks", access="administrator", **table)


def _setting(endpoints: "Endpoints") -> list[Route]:
    return [
        _route(
            method="PUT",
            path=_PATH,
            handler=endpoints.put,
            name="put_endpoint",
            summary="Where hooks go: which events, in which form, of which plans.",
            answer=h.Done,
            body=h.EndpointBody,
            codes=("invalid_endpoint", "endpoint_not_found", "not_found"),
            writes=True,
        ),
        _route(
            method="POST",
            path=f"{_PATH}/rotate",
            handler=endpoints.rotate,
            name="rotate_endpoint",
            summary="Sign with a new secret, and for a while with the one before as well.",
            answer=h.Done,
            body=h.RotationBody,
            body_optional=True,
            codes=("invalid_endpoint", "endpoint_not_found", "not_found"),
            writes=True,
        ),
    ]


def _showing(endpoints: "Endpoints") -> list[Route]:
    return [
        _route(
            method="GET",
            path="/api/v1/endpoints",
            handler=endpoints.many,
            name="list_endpoints",
            summary="Where hooks go. Secrets are not shown.",
            answer=h.EndpointPage,
        ),
        _route(
            method="GET",
            path=_PATH,
            handler=endpoints.one,
            name="get_endpoint",
            summary="One endpoint, as the log has it now. Its secret is not shown; the public half of a key pair is.",
            answer=h.EndpointView,
            codes=("endpoint_not_found", "not_found"),
        ),
    ]


def _switching(endpoints: "Endpoints") -> list[Route]:
    def route(verb: str, summary: str, make: Any, *codes: str, body: Any = h.Nothing) -> Route:
        return _route(
            method="POST",
            path=f"{_PATH}/{verb}",
            handler=endpoints.order(make, body),
            name=f"{verb}_endpoint",
            summary=summary,
            answer=h.Done,
            body=body,
            body_optional=True,
            codes=("endpoint_not_found", "not_found", *codes),
            writes=True,
        )

    return [
        route(
            "test",
            "Send a test there: a real delivery, of a test event.",
            lambda endpoint, _: o.SendTest(endpoint=endpoint),
            "endpoint_disabled",
        ),
        route(
            "enable",
            "Switch it on. One that must be verified and is not gets a new challenge.",
            lambda endpoint, body: o.EnableEndpoint(endpoint=endpoint, reason=body.reason),
            body=h.Reason,
        ),
        route(
            "disable",
            "Switch it off. What is on its way to it ends as dead deliveries, which can be resent.",
            lambda endpoint, body: o.DisableEndpoint(endpoint=endpoint, reason=body.reason),
            body=h.Reason,
        ),
    ]


class Endpoints:
    """Puts, shows and moves endpoints."""

    def __init__(self, orders: Orders, log: EventLog, key_store: KeyStore | None, clock: Clock) -> None:
        self._orders = orders
        self._log = log
        self._key_store = key_store
        self._clock = clock
        self._body: Body[h.EndpointBody] = Body(h.EndpointBody)
        self._rotation: Body[h.RotationBody] = Body(h.RotationBody, optional=True)
        self._all = load_sql("services.gateway", "endpoints")

    async def put(self, call: Call) -> web.StreamResponse:
        name = slug_of(call, "name")
        body = await read_bytes(call.request, "application/json")
        order = order_of(call, body)
        given = self._body.read(body)
        before = await self._now(name)
        kept = before is not None and before.signing == given.signing
        secret_ref, public_key = before.secret_ref if before else "", before.public_key if before else ""
        if given.secret is not None or not kept:
            secret_ref, public_key = await self._kept(name, given.secret, given.signing)
        command = c.PutEndpoint(
            endpoint=_id(name),
            url=given.url,
            secret_ref=secret_ref,
            events=given.events,
            enabled=given.enabled,
            name=name,
            format=given.format,
            project=given.project or "",
            plan=given.plan or "",
            ordered=given.ordered,
            concurrency=given.concurrency,
            rate_per_minute=given.rate_per_minute,
            signing=given.signing,
            public_key=public_key,
            verify=given.verify,
        )
        accepted = await self._orders.send(call, order, command)
        if before is not None and before.secret_ref != secret_ref and not accepted.repeated:
            await self._shred(before.secret_ref, before.previous_ref)
        return done(accepted, _id(name))

    async def rotate(self, call: Call) -> web.StreamResponse:
        name = slug_of(call, "name")
        body = await read_bytes(call.request, "application/json")
        order = order_of(call, body)
        given = self._rotation.read(body)
        before = await self._existing(name)
        secret_ref, public_key = await self._kept(name, given.secret, before.signing)
        command = o.RotateEndpoint(
            endpoint=before.id,
            secret_ref=secret_ref,
            overlap_seconds=given.overlap_seconds,
            public_key=public_key,
        )
        accepted = await self._orders.send(call, order, command)
        if not accepted.repeated:
            await self._shred(before.previous_ref)  # two back: no signature needs it
        return done(accepted, before.id)

    async def many(self, call: Call) -> web.StreamResponse:
        views = [endpoint_view(_of_row(row)) for row in await self._log.pool.fetch(self._all)]
        return json_answer(h.EndpointPage(endpoints=tuple(sorted(views, key=lambda view: view.name))))

    async def one(self, call: Call) -> web.StreamResponse:
        endpoint = await self._existing(slug_of(call, "name"))
        return json_answer(endpoint_view(endpoint), headers={"ETag": f'"{endpoint.version}"'})

    def order(self, make: Any, kind: Any) -> Any:
        """A handler for an order without a secret. `make(endpoint, body)` makes the command."""
        body_of: Body[Any] = Body(kind, optional=True)

        async def serve(call: Call) -> web.StreamResponse:
            endpoint = _id(slug_of(call, "name"))
            sent = await read_bytes(call.request, "application/json")
            order = order_of(call, sent)
            return done(await self._orders.send(call, order, make(endpoint, body_of.read(sent))), endpoint)

        return serve

    async def _now(self, name: str) -> Endpoint | None:
        return fold_endpoint(await self._log.read_stream(f"endpoint-{_id(name)}"))

    async def _existing(self, name: str) -> Endpoint:
        found = await self._now(name)
        if found is None:
            raise Refused("endpoint_not_found", f"There is no endpoint {name}.")
        if found.previous_ref and found.previous_until <= self._clock.now():
            await self._shred(found.previous_ref)
        return found

    async def _kept(self, name: str, secret: str | None, signing: Signing) -> tuple[str, str]:
        """Keeps a new secret. Where it is, and the public half of a key pair.

        The name is nobody's yet, also in a repetition: one that turns out to be another request under a used key is
        refused, and must not have written over the secret that the first one put.
        """
        text = _checked(secret, signing)
        ref = f"endpoint/{name}/{random_id()}"
        await key_store_of(self._key_store).put(ref, Secret(text))
        return ref, SigningKey.of(text).public()

    async def _shred(self, *refs: str) -> None:
        for ref in filter(None, refs):
            await key_store_of(self._key_store).delete(ref)


def _checked(secret: str | None, signing: Signing) -> str:
    """The secret's text: the given one, or a fresh private key. Raises Refused for one that cannot sign."""
    if signing == "ed25519":
        if secret is not None:
            fault = Fault("/secret", "is made here for a key pair; leave it out")
            raise Refused("invalid_endpoint", "The signing secret cannot be used.", [fault])
        return new_private_key()
    if secret is None:
        fault = Fault("/secret", "is missing; an endpoint needs one to sign with", "missing")
        raise Refused("invalid_body", "The body has 1 fault.", [fault])
    try:
        if secret.startswith(PRIVATE_PREFIX):
            raise ValueError(f"a secret that both sides have does not begin with {PRIVATE_PREFIX}")
        SigningKey.of(secret)
    except ValueError as error:
        fault = Fault("/secret", str(error))
        raise Refused("invalid_endpoint", "The signing secret cannot be used.", [fault]) from None
    return secret


def _id(name: str) -> str:
    return derived_id("endpoint", name)


def _of_row(row: Row) -> Endpoint:
    return Endpoint(**{**row, "events": tuple(row["events"]), "position": 0})


def endpoint_view(endpoint: Endpoint) -> h.EndpointView:
    """An endpoint for people, without anything secret."""
    return h.EndpointView(
        id=endpoint.id,
        name=endpoint.name or endpoint.id,
        url=endpoint.url,
        events=endpoint.events,
        enabled=endpoint.enabled,
        signed=bool(endpoint.secret_ref),
        format=endpoint.format,
        project=endpoint.project,
        plan=endpoint.plan,
        ordered=endpoint.ordered,
        concurrency=endpoint.concurrency,
        rate_per_minute=endpoint.rate_per_minute,
        signing=endpoint.signing,
        public_key=endpoint.public_key,
        verify=endpoint.verify,
        verified=endpoint.verified,
        previous_until=moment(endpoint.previous_until) if endpoint.previous_until else None,
        reason=endpoint.reason,
        version=endpoint.version,
    )
