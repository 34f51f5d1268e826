"""Shows a hook as it goes out, for `hooks replay`: id, headers and body, without a signature. It changes nothing.

A body is a function of the log, so an old delivery's is made again. A challenge is for its receiver alone and never shown.
"""

from contracts.commands import Accepted, Request
from contracts.hook_commands import ShowHook
from contracts.refusals import Refused
from infra.commands import Desk
from infra.eventlog import EventLog
from infra.ids import derived_id
from services.hook_dispatcher.adapters import Hook, headers
from services.hook_dispatcher.handlers.rendering import Hooked, Rendering
from services.hook_dispatcher.views.delivery import Delivery


class Recorded:
    """Answers `ShowHook`."""

    def __init__(self, log: EventLog, deliveries: Desk[Delivery], instance_url: str) -> None:
        self._deliveries = deliveries
        self._rendering = Rendering(log)
        self._instance_url = instance_url

    async def show(self, request: Request) -> Accepted:
        """Raises Refused for a delivery that is not there, has not been tried yet, or is not for the asker."""
        command = request.command
        assert isinstance(command, ShowHook)
        delivery = await self._deliveries.read(f"delivery-{command.delivery}")
        if delivery is None:
            raise Refused("delivery_not_found", "There is no such delivery, or it was not tried yet.")
        created = delivery.created
        if not created.plan and not request.actor.administrator:
            raise Refused("forbidden", "Tests of endpoints are shown to administrators.")
        if created.event.startswith("endpoint.challenged."):
            raise Refused("forbidden", "A challenge is shown to nobody but its receiver.")
        hooked = Hooked(created.plan, created.event, created.raised_by, created.format)
        body = (await self._rendering.body(hooked)).text
        raised = derived_id("hook", created.plan, str(created.raised_by))
        hook = Hook(delivery=delivery.id, raised=raised, url="", body=body, sent_at=0, format=created.format)
        told = {name.lower(): value for name, value in headers(hook, self._instance_url).items()}
        del told["webhook-timestamp"]
        return Accepted(
            delivery.version,
            delivery.position,
            body={"webhook_id": delivery.id, "event": created.event, "headers": told, "body": body.decode()},
        )
