"""People: who a bearer token stands for, which groups there are, who is in them.

Kept in the schema `identity`, outside the log. Users and groups are plain ids here (`olivia`, `sre`) and references
(`user:olivia`, `group:sre`) everywhere else. It refuses to keep a token: only its SHA-256 is stored, and the token is
shown once, when it is made. It decides nothing about plans.
"""

import asyncio
import hashlib
import re
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
import msgspec

from contracts.commands import Actor
from contracts.refusals import Fault, Refused
from infra.clock import Clock, SystemClock
from infra.config import Secret
from infra.errors import Unavailable
from infra.ids import random_id
from infra.jwt import JwtSettings
from infra.postgres import load_sql
from infra.tail import database_away

if TYPE_CHECKING:
    from infra.jwt_check import JwtCheck

TOKEN = re.compile(r"gng_[A-Za-z0-9_-]{43}")
"""An opaque token: 256 random bits. The prefix lets a secret scanner find one that leaked."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,99}")
_STATEMENTS = (
    "user_put",
    "memberships_drop",
    "memberships_add",
    "token_put",
    "token_revoke",
    "by_token",
    "by_user",
    "members",
    "existing",
    "names",
)
_REMEMBERED = 4_096
_PATIENCE_SECONDS = 8.0


class User(msgspec.Struct, frozen=True):
    """A person as the directory has them. `groups` as references."""

    id: str
    name: str
    administrator: bool
    active: bool
    groups: tuple[str, ...]
    email: str = ""


class _Known(msgspec.Struct, frozen=True):
    actor: Actor
    until: int


class Identities:
    """The directory and the tokens. Every method raises Unavailable when the database does not answer.

    Who a token stands for is remembered for `remember_seconds`, so a revocation takes effect at once in this process and
    that much later in others.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        jwt: JwtSettings | None = None,
        *,
        clock: Clock | None = None,
        remember_seconds: float = 1.0,
    ) -> None:
        """Raises Misconfigured when the JWT settings make no sense."""
        self._pool = pool
        self._clock = clock or SystemClock()
        self._jwt = _check_of(jwt, self._clock) if jwt else None
        self._admit_unknown = jwt is not None and jwt.admit_unknown
        self._sql = {name: load_sql("infra", f"identity_{name}") for name in _STATEMENTS}
        self._remember = int(remember_seconds * 1_000_000)
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._changes = 0

    async def authenticate(self, bearer: str) -> Actor | None:
        """Who shows this token, or `None` for nobody: unknown, expired, revoked, forged, or the person is inactive."""
        if TOKEN.fullmatch(bearer):
            return await self._by_token(hashlib.sha256(bearer.encode()).digest())
        if self._jwt is None or bearer.count(".") != 2:
            return None
        return await self._by_jwt(self._jwt, bearer)

    async def put_user(
        self,
        id: str,
        *,
        name: str,
        groups: Iterable[str] = (),
        administrator: bool = False,
        active: bool = True,
        email: str | None = None,
    ) -> User:
        """Makes or changes a user, with exactly these groups (plain ids). Raises Refused("invalid_body") for bad ids.

        Without `email` the address that is kept stays.
        """
        wanted = tuple(sorted({group.removeprefix("group:") for group in groups}))
        demand_ids(id, wanted)
        async with (
            _answering(),
            asyncio.timeout(_PATIENCE_SECONDS),
            self._pool.acquire() as conn,
            conn.transaction(),
        ):
            now = self._clock.now()
            kept = await conn.fetchval(self._sql["user_put"], id, name, administrator, active, now, email)
            await conn.execute(self._sql["memberships_drop"], id, list(wanted))
            await conn.execute(self._sql["memberships_add"], id, list(wanted))
        self._forget()
        return User(id, name, administrator, active, _groups(wanted), kept)

    async def user(self, id: str) -> User | None:
        """One user, also an inactive one."""
        row = await self._row("by_user", id)
        if row is None:
            return None
        return User(row["id"], row["name"], row["administrator"], row["active"], _groups(row["groups"]), row["email"])

    async def create_token(self, user: str, label: str, *, expires_at: int = 0) -> tuple[str, Secret]:
        """A new token's id and the token itself, which nobody can see again. `expires_at` in Unix µs, 0 for never.

        Raises Refused("user_not_found").
        """
        token = Secret(f"gng_{secrets.token_urlsafe(32)}")
        token_id = random_id()
        sha256 = hashlib.sha256(token.reveal().encode()).digest()
        made = await self._execute("token_put", token_id, user, sha256, label, self._clock.now(), expires_at)
        if made == "INSERT 0 0":
            raise Refused("user_not_found", f"There is no user {user}.", user=user)
        return token_id, token

    async def revoke_token(self, token_id: str) -> None:
        """The token stands for nobody from now on. Doing it again changes nothing. Raises Refused("token_not_found")."""
        done = await self._execute("token_revoke", token_id, self._clock.now())
        self._forget()
        if done == "UPDATE 0":
            raise Refused("token_not_found", f"There is no token {token_id}.", token=token_id)

    async def members(self, groups: Iterable[str]) -> dict[str, frozenset[str]]:
        """`{"group:sre": {"user:olivia", ...}}` of the active members; a group that nobody is in has an empty set."""
        wanted = {group for group in groups if group.startswith("group:")}
        found: dict[str, set[str]] = {group: set() for group in wanted}
        for row in await self._rows("members", [group.removeprefix("group:") for group in wanted]):
            found[f"group:{row['group_id']}"].add(f"user:{row['user_id']}")
        return {group: frozenset(users) for group, users in found.items()}

    async def existing(self, refs: Iterable[str]) -> set[str]:
        """Those of the references that name an active user, or a group with an active member."""
        wanted = set(refs)
        rows = await self._rows("existing", _plain(wanted, "user:"), _plain(wanted, "group:"))
        return {row["ref"] for row in rows}

    async def names(self, refs: Iterable[str]) -> dict[str, str]:
        """What people are called, by reference; only for users who exist."""
        rows = await self._rows("names", _plain(set(refs), "user:"))
        return {f"user:{row['id']}": row["name"] for row in rows}

    async def _by_token(self, sha256: bytes) -> Actor | None:
        now = self._clock.now()
        known = self._known.get(sha256)
        if known is not None and now < known.until:
            return known.actor
        changes = self._changes
        row = await self._row("by_token", sha256, now)
        if row is None:
            self._known.pop(sha256, None)
            return None
        actor = Actor(f"user:{row['id']}", _groups(row["groups"]), row["administrator"])
        if changes == self._changes:  # else it may have been revoked while we read
            until = now + self._remember
            self._known[sha256] = _Known(actor, min(until, row["expires_at"] or until))
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return actor

    async def _by_jwt(self, check: "JwtCheck", bearer: str) -> Actor | None:
        claimed = await check.claims(bearer)
        if claimed is None or not _ID.fullmatch(claimed.subject):
            return None
        claims = tuple(group for group in claimed.groups or () if _ID.fullmatch(group))
        user = await self.user(claimed.subject)
        if user is None:
            return Actor(f"user:{claimed.subject}", _groups(claims)) if self._admit_unknown else None
        if not user.active:
            return None
        groups = user.groups if claimed.groups is None else _groups(claims)
        return Actor(f"user:{user.id}", groups, user.administrator)

    def _forget(self) -> None:
        self._changes += 1
        self._known.clear()

    async def _row(self, name: str, *arguments: Any) -> Any:
        async with _answering():
            return await self._pool.fetchrow(self._sql[name], *arguments)

    async def _rows(self, name: str, *arguments: Any) -> list[Any]:
        async with _answering():
            return list(await self._pool.fetch(self._sql[name], *arguments))

    async def _execute(self, name: str, *arguments: Any) -> str:
        async with _answering():
            return str(await self._pool.execute(self._sql[name], *arguments))


def _check_of(settings: JwtSettings, clock: Clock) -> "JwtCheck":
    from infra.jwt_check import JwtCheck  # loads 9 MB that a service which checks no token does without

    return JwtCheck(settings, lambda: clock.now() // 1_000_000)


@asynccontextmanager
async def _answering() -> AsyncIterator[None]:
    """Turns "the database is away" into Unavailable, which the edge answers with 503."""
    try:
        yield
    except Exception as error:
        if database_away(error):
            raise Unavailable("the database") from error
        raise


def _groups(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"group:{id}" for id in ids)


def _plain(refs: set[str], prefix: str) -> list[str]:
    return [ref.removeprefix(prefix) for ref in refs if ref.startswith(prefix)]


def demand_ids(user: str, groups: Iterable[str]) -> None:
    """Raises Refused("invalid_body") for plain ids of users and groups that are none."""
    rule = "letters, digits and . _ @ - only, beginning with a letter or digit, at most 100"
    faults = [] if _ID.fullmatch(user) else [Fault("/user", f"{user!r}: {rule}")]
    faults += [Fault("/groups", f"{group!r}: {rule}") for group in groups if not _ID.fullmatch(group)]
    if faults:
        raise Refused("invalid_body", "The user cannot be kept so.", faults)
