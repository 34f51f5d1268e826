"""What an installation is set up with: workflows and endpoints of hooks. Both are kept in the log."""

from aiohttp import web

from contracts import commands as c
from contracts import http as h
from contracts.delivery import EndpointPut
from contracts.envelope import Fact, stream_id
from contracts.refusals import Fault, Refused
from contracts.registry import DECODERS
from contracts.webhooks import key_of
from contracts.workflow import WorkflowDefinition, workflow_stream
from infra.config import Secret
from infra.eventlog import EventLog
from infra.ids import derived_id
from infra.keystore import KeyStore
from infra.postgres import Row, load_sql
from services.gateway.bodies import Body, read_bytes
from services.gateway.names import slug_of
from services.gateway.orders import Order, Orders, done, json_answer, order_of
from services.gateway.route import Call, Route


def setting_up_routes(orders: Orders, log: EventLog, key_store: KeyStore | None) -> list[Route]:
    """Workflows, and endpoints."""
    endpoints = Endpoints(orders, log, key_store)
    return [
        Route(
            method="PUT",
            path="/api/v1/workflows/{project}/{name}",
            handler=Workflows(orders).put,
            name="put_workflow",
            summary="A new revision of a workflow. The same definition again makes none.",
            tag="workflows",
            answer=h.Done,
            body=h.WorkflowBody,
            codes=("invalid_workflow", "not_found", "workflow_not_found"),
            writes=True,
        ),
        Route(
            method="PUT",
            path="/api/v1/endpoints/{name}",
            handler=endpoints.put,
            name="put_endpoint",
            summary="Where hooks go.",
            tag="hooks",
            answer=h.Done,
            body=h.EndpointBody,
            codes=("invalid_endpoint", "endpoint_not_found", "not_found"),
            writes=True,
            access="administrator",
        ),
        Route(
            method="GET",
            path="/api/v1/endpoints",
            handler=endpoints.many,
            name="list_endpoints",
            summary="Where hooks go. Secrets are not shown.",
            tag="hooks",
            answer=h.EndpointPage,
            access="administrator",
        ),
    ]


class Workflows:
    """Puts workflow definitions."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._body: Body[h.WorkflowBody] = Body(h.WorkflowBody)

    async def put(self, call: Call) -> web.StreamResponse:
        project, name = slug_of(call, "project"), slug_of(call, "name")
        body = await read_bytes(call.request, "application/json")
        order = order_of(call, body)
        given = self._body.read(body)
        faults = [
            Fault(f"/{field}", f"must be {wanted}, as in the address")
            for field, said, wanted in (("project", given.project, project), ("name", given.name, name))
            if said not in {None, wanted}
        ]
        if faults:
            raise Refused("invalid_body", "The body and the address name different workflows.", faults)
        definition = WorkflowDefinition(
            project=project,
            name=name,
            stages=given.stages,
            display_name=given.display_name,
            description=given.description,
            inputs=given.inputs,
            runners=given.runners,
            outputs=given.outputs,
        )
        accepted = await self._orders.send(call, order, c.PutWorkflow(definition=definition))
        return done(accepted, stream_id(workflow_stream(project, name)))


class Endpoints:
    """Puts and shows endpoints. A new secret gets a new name in the key store, so a refused order changes nothing."""

    def __init__(self, orders: Orders, log: EventLog, key_store: KeyStore | None) -> None:
        self._orders = orders
        self._log = log
        self._key_store = key_store
        self._body: Body[h.EndpointBody] = Body(h.EndpointBody)
        self._all = load_sql("services.gateway", "endpoints")

    async def put(self, call: Call) -> web.StreamResponse:
        name = slug_of(call, "name")
        body = await read_bytes(call.request, "application/json")
        order = order_of(call, body)
        given = self._body.read(body)
        endpoint = derived_id("endpoint", name)
        before = _put_of((await self._log.read_stream(f"endpoint-{endpoint}"))[-1:])
        secret_ref = await self._secret_ref(call, name, given.secret, order, before)
        command = c.PutEndpoint(
            endpoint=endpoint, url=given.url, secret_ref=secret_ref, events=given.events, enabled=given.enabled
        )
        accepted = await self._orders.send(call, order, command)
        if before is not None and before.secret_ref != secret_ref and not accepted.repeated:
            await key_store_of(self._key_store).delete(before.secret_ref)
        return done(accepted, endpoint)

    async def _secret_ref(
        self, call: Call, name: str, secret: str | None, order: Order, before: EndpointPut | None
    ) -> str:
        """Where the signing secret is kept."""
        if secret is None:
            if before is None:
                fault = Fault("/secret", "is missing; a new endpoint needs one", "missing")
                raise Refused("invalid_body", "The body has 1 fault.", [fault])
            return before.secret_ref
        ref = f"endpoint/{name}/{derived_id(call.actor.id, order.key, digits=16)}"
        try:
            key_of(secret)
        except ValueError as error:
            raise Refused(
                "invalid_endpoint", "The signing secret cannot be used.", [Fault("/secret", str(error))]
            ) from None
        await key_store_of(self._key_store).put(ref, Secret(secret))
        return ref

    async def many(self, call: Call) -> web.StreamResponse:
        views = [_endpoint_view(row) for row in await self._log.pool.fetch(self._all)]
        return json_answer(h.EndpointPage(endpoints=tuple(sorted(views, key=lambda view: view.name))))


def _put_of(facts: list[Fact]) -> EndpointPut | None:
    for fact in facts:
        event = DECODERS[fact.type](fact.payload) if fact.type in DECODERS else None
        if isinstance(event, EndpointPut):
            return event
    return None


def _endpoint_view(row: Row) -> h.EndpointView:
    parts = row["secret_ref"].split("/")
    return h.EndpointView(
        id=row["id"],
        name=parts[1] if len(parts) == 3 else row["id"],
        url=row["url"],
        events=tuple(row["events"]),
        enabled=row["enabled"],
        signed=bool(row["secret_ref"]),
        version=row["version"],
    )


def key_store_of(key_store: KeyStore | None) -> KeyStore:
    """The key store. Raises Refused where this installation has no master key."""
    if key_store is None:
        raise Refused("forbidden", "Secrets cannot be kept here: this installation has no master key.")
    return key_store
