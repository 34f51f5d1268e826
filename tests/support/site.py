"""A gateway with the services behind it, in the test's own process, and a client that speaks HTTP with it.

Every answer that the client gets is held against the interface's own description.
"""

import io
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import aiohttp
import asyncpg
import msgspec

from contracts.commands import Accepted, Denied, Reply, Request
from infra.bus import Bus
from infra.clock import Clock
from infra.config import Secret
from infra.eventlog import EventLog
from infra.identity import Identities
from infra.keystore import new_master_key
from services.approval import app as approval_app
from services.approval.config import Settings as ApprovalSettings
from services.audit import app as audit_app
from services.audit.config import Settings as AuditSettings
from services.gateway import app as gateway_app
from services.gateway.app import Gateway
from services.gateway.config import GatewaySettings
from services.planner import app as planner_app
from services.planner.config import Settings as PlannerSettings
from tests.support.apps import Apps, open_apps
from tests.support.interface import Interface
from tests.support.servers import Nats, Postgres
from tests.support.wait import PATIENCE_SECONDS, eventually

PEOPLE = {"olivia": (), "ana": ("sre",), "ben": ("sre",), "ada": ()}
ITEMS = [{"id": "announce", "name": "Announce", "spec": {"type": "text", "content": "Tell them."}}]


class Answer(msgspec.Struct, frozen=True):
    """What came back. `body` is decoded where it is JSON."""

    status: int
    headers: Mapping[str, str]
    body: Any
    text: str

    @property
    def etag(self) -> str:
        return self.headers["ETag"]

    @property
    def paths(self) -> list[str]:
        """Where the faults of a problem are."""
        return [fault["path"] for fault in self.body["faults"]]


class Site:
    """A running gateway, and everybody's tokens."""

    def __init__(
        self,
        apps: Apps,
        gateway: Gateway,
        session: aiohttp.ClientSession,
        tokens: Mapping[str, str],
        data: Path,
        end_gateway: Callable[[], Awaitable[None]],
    ) -> None:
        self.apps = apps
        self.gateway = gateway
        self.end_gateway = end_gateway
        self.data = data
        self.url = f"http://127.0.0.1:{gateway.port}"
        self.session = session
        self.interface: Interface | None = None
        self.tokens = tokens

    async def __call__(
        self, method: str, path: str, body: Any = None, *, as_: str = "olivia", **headers: str
    ) -> Answer:
        """One request as somebody. `body` is sent as JSON unless it is bytes; `if_match="*"` is the header If-Match."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if as_:
            sent.setdefault("Authorization", f"Bearer {self.tokens[as_]}")
        if body is not None:
            sent.setdefault("content-type", "application/json")
        data = body if body is None or isinstance(body, bytes | io.BytesIO) else msgspec.json.encode(body)
        if isinstance(data, bytes) and len(data) > 1 << 20:
            data = io.BytesIO(data)  # aiohttp warns of large bytes
        url = path if path.startswith("http") else self.url + path
        async with self.session.request(method, url, data=data, headers=sent) as response:
            text = await response.text()
            is_json = response.content_type.endswith("json") and text
            decoded = msgspec.json.decode(text) if is_json else None
            if self.interface is not None:
                self.interface.check(method, response.url.raw_path, response.status, response.content_type, decoded)
            return Answer(response.status, response.headers.copy(), decoded, text)

    async def plan(self, **sections: Any) -> str:
        """The id of a new plan with one text item."""
        body = {"project": "web", "name": "Release 1.2", "items": ITEMS, **sections}
        answer = await self("POST", "/api/v1/plans", body)
        assert answer.status == 201, answer.text
        return str(answer.body["id"])

    async def view(self, plan: str) -> Any:
        """What a GET of the plan shows."""
        answer = await self("GET", f"/api/v1/plans/{plan}")
        assert answer.status == 200, answer.text
        return answer.body


@asynccontextmanager
async def open_site(
    postgres: Postgres,
    nats: Nats,
    data: Path,
    *,
    approval: Mapping[str, Any] = {},
    clock: Clock | None = None,
    try_seconds: float = PATIENCE_SECONDS / 4,
    traces_to: str = "",
    **settings: Any,
) -> AsyncIterator[Site]:
    """Planner, approval, audit and gateway on a fresh database. `ada` is administrator.

    `approval` are settings of approval, the others and `clock` are the gateway's.
    An order is sent again after `try_seconds`, and given up after four times that. `traces_to` is a collector's address.
    """
    async with open_apps(postgres, nats, data) as apps:
        apps.traces_to = traces_to
        tokens = await _people(apps)
        await apps.start("planner", PlannerSettings, planner_app.build)
        await apps.start("approval", ApprovalSettings, approval_app.build, **approval)
        await apps.start("audit", AuditSettings, audit_app.build)
        key = settings.pop("master_key", None) or Secret(new_master_key())
        own = apps.settings("gateway", GatewaySettings, http_port=0, master_key=key, **settings)
        # A list that is read up to a write, and the answer to an order, are waited for as long as the machine takes.
        patient = patch.multiple("services.gateway.listing", _PATIENCE_SECONDS=PATIENCE_SECONDS)
        asking = patch.multiple("services.gateway.orders", _TRY_SECONDS=try_seconds)
        async with AsyncExitStack() as ending, aiohttp.ClientSession() as session:
            ending.enter_context(patient)
            ending.enter_context(asking)
            gateway = await ending.enter_async_context(gateway_app.build(own, clock))
            site = Site(apps, gateway, session, tokens, data, ending.aclose)
            await eventually(lambda: gateway.ready() is None, what="the gateway is ready")
            # Also so that all connections stand before the test begins.
            site.interface = Interface((await site("GET", "/openapi.json", as_="")).body)
            await site("POST", f"/api/v1/plans/{'0' * 24}/seal", if_match="*")
            yield site


async def _people(apps: Apps) -> dict[str, str]:
    async with asyncpg.create_pool(apps.dsns.admin, min_size=1, max_size=1) as pool:
        identities = Identities(pool)
        tokens = {}
        for name, groups in PEOPLE.items():
            await identities.put_user(name, name=name.capitalize(), groups=groups, administrator=name == "ada")
            tokens[name] = (await identities.create_token(name, "test"))[1].reveal()
        return tokens


@asynccontextmanager
async def stub(apps: Apps, service: str, answer: Callable[[Request], Reply]) -> AsyncIterator[list[Request]]:
    """Somebody who answers a service's commands like this; gives the requests that came."""
    came: list[Request] = []

    async def handle(body: bytes) -> bytes:
        came.append(msgspec.json.decode(body, type=Request))
        return msgspec.json.encode(answer(came[-1]))

    settings = apps.settings(service, PlannerSettings)
    bus = Bus(settings.nats_url, name=service, user=settings.nats_user, password=settings.nats_password.reveal())
    bus.serve(service, handle)
    await bus.start()
    await bus.wait_connected(PATIENCE_SECONDS)
    try:
        yield came
    finally:
        await bus.stop()


def accept(request: Request) -> Reply:
    """Yes to everything."""
    return Accepted(version=7, position=70)


def refuse(code: str, **facts: Any) -> Callable[[Request], Reply]:
    """No to everything."""
    return lambda request: Denied(code, "no", (), facts)


@asynccontextmanager
async def open_log(apps: Apps) -> AsyncIterator[EventLog]:
    """The log, as the superuser reads it."""
    log = await EventLog.open(apps.dsns.admin)
    try:
        yield log
    finally:
        await log.close()
