"""The rules of endpoints: an administrator names an address that may be asked, over http or https, without a password.

Whether the address may be reached is not looked up here: names change, so it is checked at each attempt.
"""

import re

from contracts.commands import Actor, PutEndpoint
from contracts.delivery import EndpointPut
from contracts.hook_address import address_faults
from contracts.plan_events import Event
from contracts.refusals import Fault, Refused

_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/@-]{0,199}")


def put(before: EndpointPut | None, command: PutEndpoint, actor: Actor) -> tuple[Event, ...]:
    """The endpoint as it is from now on; `()` when it is already so. Raises Refused with all faults."""
    if not actor.administrator:
        raise Refused("forbidden", f"{actor.id} may not set endpoints; administrators may.")
    faults = [*(Fault("/url", fault) for fault in address_faults(command.url)), *_other_faults(command)]
    if faults:
        raise Refused("invalid_endpoint", "Hooks cannot be sent there.", faults)
    events = tuple(dict.fromkeys(command.events))
    after = EndpointPut(url=command.url, secret_ref=command.secret_ref, events=events, enabled=command.enabled)
    return () if after == before else (after,)


def _other_faults(command: PutEndpoint) -> list[Fault]:
    faults = []
    if not command.events:
        faults.append(Fault("/events", "names no event; take enabled: false to stop an endpoint"))
    if command.secret_ref and not _REFERENCE.fullmatch(command.secret_ref):
        faults.append(Fault("/secret_ref", "is not the name of a secret"))
    return faults
