"""What an installation is set up with: workflows. They are kept in the log, and so are endpoints (`endpoints.py`)."""

from aiohttp import web

from contracts import commands as c
from contracts import http as h
from contracts.envelope import stream_id
from contracts.refusals import Fault, Refused
from contracts.workflow import WorkflowDefinition, workflow_stream
from infra.keystore import KeyStore
from services.gateway.bodies import Body, read_bytes
from services.gateway.names import slug_of
from services.gateway.orders import Orders, done, order_of
from services.gateway.route import Call, Route


def setting_up_routes(orders: Orders) -> list[Route]:
    """Workflows."""
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


def key_store_of(key_store: KeyStore | None) -> KeyStore:
    """The key store. Raises Refused where this installation has no master key."""
    if key_store is None:
        raise Refused("forbidden", "Secrets cannot be kept here: this installation has no master key.")
    return key_store
