"""Who I am; and for administrators: users, tokens, secrets.

What they are called, and every token and secret, is kept outside the log, so that it can be forgotten. Who gave whom which
rights is in the log and its record: rights and secrets are told before they change, and given again where the change itself
then fails; a token is told before anybody has seen it.
"""

from collections.abc import Iterable
from typing import Protocol

import structlog
from aiohttp import web

from contracts import http as h
from contracts.directory import Rights, SecretPut, TokenCreated, TokenRevoked, UserPut
from contracts.moments import micros
from contracts.refusals import Refused
from infra.config import Secret
from infra.identity import User, demand_ids
from infra.ids import derived_id
from infra.keystore import KeyStore
from services.gateway.bodies import Body, read_bytes
from services.gateway.names import slug_of, user_of
from services.gateway.orders import json_answer
from services.gateway.route import Call, Route
from services.gateway.routes.setting_up import key_store_of
from services.gateway.telling import Telling

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
    async def user(self, id: str) -> User | None: ...


def people_routes(directory: Directory, key_store: KeyStore | None, telling: Telling) -> list[Route]:
    """Me, users, tokens, secrets."""
    people = People(directory, key_store, telling)
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

    def __init__(self, directory: Directory, key_store: KeyStore | None, telling: Telling) -> None:
        self._directory = directory
        self._telling = telling
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
        await self._tell_rights(call, user, given)
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

    async def _tell_rights(self, call: Call, user: str, given: h.UserBody) -> None:
        groups = sorted({group.removeprefix("group:") for group in given.groups})
        demand_ids(user, groups)
        rights = Rights(
            groups=tuple(f"group:{group}" for group in groups), administrator=given.administrator, active=given.active
        )
        now = await self._directory.user(user)
        before = None
        if now is not None:
            before = Rights(groups=tuple(sorted(now.groups)), administrator=now.administrator, active=now.active)
        if rights != before:
            event = UserPut(user=f"user:{user}", rights=rights, before=before)
            await self._telling.tell(call, f"user-{derived_id('user', user)}", event)

    async def create_token(self, call: Call) -> web.StreamResponse:
        user = user_of(call)
        given = self._token.read(await read_bytes(call.request, "application/json"))
        expires_at = micros(given.expires_at) if given.expires_at else 0
        token_id, token = await self._directory.create_token(user, given.label, expires_at=expires_at)
        created = TokenCreated(token=token_id, user=f"user:{user}", expires_at=expires_at)
        await self._telling.tell(call, f"token-{token_id}", created)
        log.info("access_granted", user=user, id=token_id, by=call.actor.id)
        view = h.TokenView(id=token_id, token=token.reveal(), expires_at=given.expires_at)
        return json_answer(view, status=201, headers={"Cache-Control": "no-store"})

    async def revoke_token(self, call: Call) -> web.StreamResponse:
        token = call.part("token")
        if len(token) > 100 or "\x00" in token:
            raise Refused("token_not_found", "There is no such token.")
        await self._directory.revoke_token(token)
        # At once, and told then: of the two, a token that still works is the worse. Asked again, it is told where it was not.
        await self._telling.tell(call, f"token-{token}", TokenRevoked(token=token), once="revoked")
        log.info("access_revoked", id=token, by=call.actor.id)
        return web.Response(status=204)

    async def put_secret(self, call: Call) -> web.StreamResponse:
        name = slug_of(call, "name")
        given = self._secret.read(await read_bytes(call.request, "application/json"))
        store = key_store_of(self._key_store)
        await self._telling.tell(call, f"secret-{derived_id('secret', name)}", SecretPut(name=name))
        await store.put(name, Secret(given.value))
        log.info("key_store_put", name=name, by=call.actor.id)
        return json_answer(h.SecretView(name=name, reference=f"secret:{name}"))
