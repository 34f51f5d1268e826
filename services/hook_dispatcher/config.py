"""Settings of the hook dispatcher: those of every service, and how hooks are sent."""

from typing import Annotated

from msgspec import Meta

from infra.addresses import USUAL_PORTS
from infra.config import Secret
from infra.config import Settings as Shared
from services.hook_dispatcher.decider.deliveries import Patience


class Settings(Shared, frozen=True, kw_only=True):
    """See the README's table."""

    master_key: Annotated[Secret, Meta(description="Key of the key store; empty: signed endpoints get no hooks.")] = (
        Secret("")
    )
    hook_allow: Annotated[
        tuple[str, ...],
        Meta(
            description="Networks or host names that hooks may go to beside public addresses, by commas, such as "
            "10.1.0.0/16,board.internal."
        ),
    ] = ()
    hook_ports: Annotated[
        tuple[str, ...], Meta(description="Ports that hooks may go to, by commas; 8000-8999 is a range.")
    ] = USUAL_PORTS
    hook_timeout_seconds: Annotated[
        float, Meta(gt=0, le=60, description="How long a receiver may take to answer, in seconds.")
    ] = 15.0
    hook_connect_seconds: Annotated[
        float, Meta(gt=0, le=60, description="How long a connection to a receiver may take, in seconds.")
    ] = 5.0
    hook_schedule_seconds: Annotated[
        tuple[Annotated[float, Meta(ge=0)], ...], Meta(description="Pauses before each try, in seconds, by commas.")
    ] = Patience().schedule_seconds
    hook_budget_seconds: Annotated[
        float, Meta(ge=0, description="How long a hook is tried again before it is given up, in seconds.")
    ] = Patience().budget_seconds
    hook_concurrency: Annotated[
        int,
        Meta(
            ge=1,
            description="Hooks that one dispatcher sends at once. One that takes longer than 0.1 s counts no more; with "
            "those it is 8 times as many at most.",
        ),
    ] = 64
    hook_breaker_failures: Annotated[
        int, Meta(ge=0, description="Failures in a row after which a host is left alone for a while; 0: never.")
    ] = 5
    hook_breaker_seconds: Annotated[
        float, Meta(gt=0, description="How long at first, in seconds; twice as long each time, a minute at most.")
    ] = 5.0
    instance_url: Annotated[str, Meta(description="Our own address, told to receivers as X-Zadig-Instance.")] = (
        "http://127.0.0.1:8640"
    )

    def patience(self) -> Patience:
        return Patience(schedule_seconds=self.hook_schedule_seconds, budget_seconds=self.hook_budget_seconds)
