"""Who I am; and for administrators: users, tokens, secrets. None of this is in the log, so that it can be forgotten."""

from collections.abc import Iterable
from typing import Protocol

import structlog
from aiohttp import web

from contracts import http as h
from contracts.moments import micros
from contracts.refusals import Refused
from infra.config import Secret
from infra.identity import User
from infra.keystore import KeyStore
from services.gateway.bodies import Body, read_bytes
from services.gateway.names import slug_of, user_of
from services.gateway.orders import json_answer
from services.gateway.route import Call, Route
from services.gateway.routes.setting_up import key_store_of

log = structlog.get_logger(__name__)


class Directory(Protocol):
    """The part of `infra.identity.Identities` that administrators use."""

    async def put_user(
        self,
        id: str,
        *,
        name: str,
        groups: Iterable[str] = (),
        administrator: bool = False,
        active: bool = True,
        email: str | None = None,
    ) -> User: ...
    async def create_token(self, user: str, label: str, *, expires_at: int = 0) -> tuple[str, Secret]: ...
    async def revoke_token(self, token_id: str) -> None: ...


def people_routes(directory: Directory, key_store: KeyStore | None) -> list[Route]:
    """Me, users, tokens, secrets."""
    people = People(directory, key_store)
    return [
        Route(
            method="GET",
            path="/api/v1/me",
            handler=people.me,
            name="me",
            summary="Who the token speaks for.",
            tag="people",
            answer=h.Me,
        ),
        Route(
            method="PUT",
            path="/api/v1/users/{user}",
            handler=people.put_user,
            name="put_user",
            summary="Make or change a user, with exactly these groups.",
            tag="people",
            answer=h.UserView,
            body=h.UserBody,
            codes=("user_not_found",),
            access="administrator",
        ),
        Route(
            method="POST",
            path="/api/v1/users/{user}/tokens",
            handler=people.create_token,
            name="create_token",
            summary="A new token. It is shown this once.",
            tag="people",
            answer=h.TokenView,
            status=201,
            body=h.TokenBody,
            body_optional=True,
            codes=("user_not_found",),
            access="administrator",
        ),
        Route(
            method="DELETE",
            path="/api/v1/tokens/{token}",
            handler=people.revoke_token,
            name="revoke_token",
            summary="Take a token back.",
            tag="people",
            status=204,
            codes=("token_not_found",),
            access="administrator",
        ),
        Route(
            method="PUT",
            path="/api/v1/secrets/{name}",
            handler=people.put_secret,
            name="put_secret",
            summary="Keep a secret that workflows may name as an input. It is never shown.",
            tag="people",
            answer=h.SecretView,
            body=h.SecretBody,
            codes=("not_found",),
            access="administrator",
        ),
    ]


class People:
    """Serves people and secrets."""

    def __init__(self, directory: Directory, key_store: KeyStore | None) -> None:
        self._directory = directory
        self._key_store = key_store
        self._user: Body[h.UserBody] = Body(h.UserBody)
        self._token: Body[h.TokenBody] = Body(h.TokenBody, optional=True)
        self._secret: Body[h.SecretBody] = Body(h.SecretBody)

    async def me(self, call: Call) -> web.StreamResponse:
        actor = call.actor
        return json_answer(
            h.Me(id=actor.id, groups=actor.groups, administrator=actor.administrator, channel=actor.channel)
        )

    async def put_user(self, call: Call) -> web.StreamResponse:
        user = user_of(call)
        given = self._user.read(await read_bytes(call.request, "application/json"))
        kept = await self._directory.put_user(
            user,
            name=given.name or user,
            groups=given.groups,
            administrator=given.administrator,
            active=given.active,
            email=given.email,
        )
        log.info("user_put", user=user, administrator=given.administrator, active=given.active, by=call.actor.id)
        view = h.UserView(
            id=f"user:{kept.id}",
            name=kept.name,
            groups=kept.groups,
            administrator=kept.administrator,
            active=kept.active,
            email=kept.email,
        )
        return json_answer(view)

    async def create_token(self, call: Call) -> web.StreamResponse:
        user = user_of(call)
        given = self._token.read(await read_bytes(call.request, "application/json"))
        expires_at = micros(given.expires_at) if given.expires_at else 0
        token_id, token = await self._directory.create_token(user, given.label, expires_at=expires_at)
        log.info("access_granted", user=user, id=token_id, by=call.actor.id)
        view = h.TokenView(id=token_id, token=token.reveal(), expires_at=given.expires_at)
        return json_answer(view, status=201, headers={"Cache-Control": "no-store"})

    async def revoke_token(self, call: Call) -> web.StreamResponse:
        token = call.part("token")
        if len(token) > 100 or "\x00" in token:
            raise Refused("token_not_found", "There is no such token.")
        await self._directory.revoke_token(token)
        log.info("access_revoked", id=token, by=call.actor.id)
        return web.Response(status=204)

    async def put_secret(self, call: Call) -> web.StreamResponse:
        name = slug_of(call, "name")
        given = self._secret.read(await read_bytes(call.request, "application/json"))
        await key_store_of(self._key_store).put(name, Secret(given.value))
        log.info("key_store_put", name=name, by=call.actor.id)
        return json_answer(h.SecretView(name=name, reference=f"secret:{name}"))
