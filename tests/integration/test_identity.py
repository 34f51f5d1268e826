"""Identities and the key store in a real database, with the roles that the services log in as."""

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from contracts.commands import Actor
from contracts.refusals import Refused
from infra.clock import SetClock
from infra.config import Secret
from infra.errors import Misconfigured, Unavailable
from infra.identity import TOKEN, Identities
from infra.jwt import JwtSettings
from infra.keystore import KeyStore, master_key_of, new_master_key
from infra.postgres import open_pool
from tests.support.servers import Dsns, Postgres

NOW = 1_800_000_000_000_000
DAY = 86_400_000_000
NOBODY = "gng_" + "x" * 43


class House:
    """One database with pools as several services."""

    def __init__(self, dsns: Dsns) -> None:
        self._dsns = dsns
        self._pools: dict[str, asyncpg.Pool] = {}
        self.clock = SetClock(NOW)

    async def pool(self, service: str) -> asyncpg.Pool:
        if service not in self._pools:
            self._pools[service] = await open_pool(self._dsns.of(service), size=2)
        return self._pools[service]

    async def identities(self, service: str = "gateway", jwt: JwtSettings | None = None) -> Identities:
        return Identities(await self.pool(service), jwt, clock=self.clock)

    async def close(self) -> None:
        for pool in self._pools.values():
            await pool.close()


@pytest_asyncio.fixture(loop_scope="session")
async def house(postgres: Postgres) -> AsyncIterator[House]:
    house = House(await postgres.fresh_database())
    yield house
    await house.close()


async def olivia(house: House, **more: Any) -> tuple[Identities, str, str]:
    people = await house.identities()
    await people.put_user("olivia", name="Olivia Ng", groups=["sre", "dev"], administrator=True)
    token_id, token = await people.create_token("olivia", "laptop", **more)
    return people, token_id, token.reveal()


async def test_a_token_stands_for_its_user_with_their_groups(house: House) -> None:
    people, _, token = await olivia(house)
    assert TOKEN.fullmatch(token)
    assert await people.authenticate(token) == Actor("user:olivia", ("group:dev", "group:sre"), True, "http")


@pytest.mark.parametrize("bearer", [NOBODY, "", "gng_short", NOBODY + "\n", "a.b.c", "gng_' or 1=1"])
async def test_an_unknown_token_is_nobody(house: House, bearer: str) -> None:
    people, _, _ = await olivia(house)
    assert await people.authenticate(bearer) is None


async def test_a_revoked_token_is_nobody_at_once(house: House) -> None:
    people, token_id, token = await olivia(house)
    assert await people.authenticate(token) is not None
    await people.revoke_token(token_id)
    await people.revoke_token(token_id)
    assert await people.authenticate(token) is None


async def test_a_revocation_elsewhere_is_seen_after_the_second_for_which_it_is_remembered(house: House) -> None:
    people, token_id, token = await olivia(house)
    elsewhere = await house.identities()
    assert await elsewhere.authenticate(token) is not None
    await people.revoke_token(token_id)
    house.clock.advance(1.0)
    assert await elsewhere.authenticate(token) is None


async def test_a_token_ends_at_its_expiry_even_when_it_is_remembered(house: House) -> None:
    people, _, token = await olivia(house, expires_at=NOW + 500_000)
    assert await people.authenticate(token) is not None
    house.clock.advance(0.5)
    assert await people.authenticate(token) is None


async def test_an_inactive_user_is_nobody_and_exists_no_more(house: House) -> None:
    people, _, token = await olivia(house)
    await people.put_user("olivia", name="Olivia Ng", groups=["sre"], active=False)
    assert await people.authenticate(token) is None
    assert await people.existing(["user:olivia", "group:sre"]) == set()
    assert await people.names(["user:olivia"]) == {"user:olivia": "Olivia Ng"}


async def test_putting_a_user_again_replaces_their_groups(house: House) -> None:
    people, _, token = await olivia(house)
    await people.put_user("olivia", name="Olivia", groups=["group:ops", "sre"])
    assert await people.authenticate(token) == Actor("user:olivia", ("group:ops", "group:sre"), False, "http")
    user = await people.user("olivia")
    assert user is not None
    assert user.groups == ("group:ops", "group:sre")


async def test_the_token_itself_is_nowhere_in_the_database(house: House) -> None:
    _, _, token = await olivia(house)
    pool = await house.pool("gateway")
    rows = await pool.fetch("select t::text as text from identity.tokens t")
    assert rows
    assert not any(token in row["text"] or token[4:] in row["text"] for row in rows)


async def test_a_token_for_nobody_and_an_unknown_token_id_are_refused(house: House) -> None:
    people = await house.identities()
    with pytest.raises(Refused, match="user_not_found"):
        await people.create_token("ghost", "x")
    with pytest.raises(Refused, match="token_not_found"):
        await people.revoke_token("0" * 24)


async def test_all_bad_ids_of_a_user_are_told_at_once(house: House) -> None:
    people = await house.identities()
    with pytest.raises(Refused) as refused:
        await people.put_user("o livia", name="x", groups=["a b", "ok", ""])
    assert [fault.path for fault in refused.value.faults] == ["/user", "/groups", "/groups"]


async def test_members_and_existing_know_users_and_groups(house: House) -> None:
    people, _, _ = await olivia(house)
    await people.put_user("ben", name="Ben", groups=["sre"])
    assert await people.members(["group:sre", "group:empty"]) == {
        "group:sre": frozenset({"user:olivia", "user:ben"}),
        "group:empty": frozenset(),
    }
    asked = ["user:ben", "user:ghost", "group:sre", "group:empty"]
    assert await people.existing(asked) == {"user:ben", "group:sre"}


@pytest.mark.parametrize("service", ["planner", "approval", "executor", "hook_dispatcher"])
async def test_services_read_the_directory_but_no_tokens(house: House, service: str) -> None:
    await olivia(house)
    people = await house.identities(service)
    assert await people.existing(["user:olivia"]) == {"user:olivia"}
    pool = await house.pool(service)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.fetch("select sha256 from identity.tokens")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute("update identity.users set administrator = true")


async def test_a_jwt_is_a_user_of_the_directory_or_nobody(house: House) -> None:
    key = RSAKey.generate_key(2048)
    keys = Secret(json.dumps(KeySet([key]).as_dict(private=False)))
    settings = JwtSettings(issuer="i", audience="a", keys=keys)
    await olivia(house)
    people = await house.identities(jwt=settings)

    def signed(sub: str) -> str:
        return jwt.encode({"alg": "RS256"}, {"iss": "i", "aud": "a", "sub": sub, "exp": NOW // 1_000_000 + 60}, key)

    found = await people.authenticate(signed("olivia"))
    assert found == Actor("user:olivia", ("group:dev", "group:sre"), True, "http")
    assert await people.authenticate(signed("ghost")) is None
    house.clock.advance(120)
    assert await people.authenticate(signed("olivia")) is None


async def test_a_jwt_of_an_unknown_person_is_let_in_only_where_that_is_asked_and_never_as_administrator(
    house: House,
) -> None:
    secret = Secret("k" * 32)
    settings = JwtSettings(
        issuer="i", audience="a", keys=secret, algorithms=("HS256",), groups_claim="groups", admit_unknown=True
    )
    people = await house.identities(jwt=settings)
    from joserfc.jwk import OctKey

    claims = {"iss": "i", "aud": "a", "sub": "ghost", "exp": NOW // 1_000_000 + 60, "groups": ["sre", "bad group"]}
    token = jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(secret.reveal()))
    assert await people.authenticate(token) == Actor("user:ghost", ("group:sre",), False, "http")


async def test_a_database_that_is_away_is_told_as_such(house: House) -> None:
    people, _, token = await olivia(house)
    await (await house.pool("gateway")).close()
    with pytest.raises(Unavailable):
        await people.authenticate(token)


# The key store


async def test_a_secret_is_sealed_by_the_gateway_and_read_by_the_dispatcher(house: House) -> None:
    master = master_key_of(Secret(new_master_key()))
    await KeyStore(await house.pool("gateway"), master).put("hook-1", Secret("first"))
    await KeyStore(await house.pool("gateway"), master).put("hook-1", Secret("whsec_abc"))
    reader = KeyStore(await house.pool("hook_dispatcher"), master)
    assert await reader.get("hook-1") == Secret("whsec_abc")
    assert await reader.get("hook-2") is None
    assert "whsec_abc" not in repr(reader)
    rows = await (await house.pool("executor")).fetch("select sealed, nonce from keystore.entry")
    assert all(b"whsec_abc" not in row["sealed"] for row in rows)


async def test_a_deleted_secret_is_gone(house: House) -> None:
    store = KeyStore(await house.pool("gateway"), b"k" * 32)
    await store.put("hook-1", Secret("x"))
    assert await store.delete("hook-1")
    assert not await store.delete("hook-1")
    assert await KeyStore(await house.pool("executor"), b"k" * 32).get("hook-1") is None


async def test_another_master_key_is_told_by_name_and_not_by_content(house: House) -> None:
    await KeyStore(await house.pool("gateway"), b"k" * 32).put("hook-1", Secret("x"))
    with pytest.raises(Misconfigured, match="another master key"):
        await KeyStore(await house.pool("hook_dispatcher"), b"q" * 32).get("hook-1")


async def test_an_entry_moved_under_another_name_is_refused(house: House) -> None:
    gateway = await house.pool("gateway")
    await KeyStore(gateway, b"k" * 32).put("hook-1", Secret("x"))
    await gateway.execute("update keystore.entry set name = 'hook-2' where name = 'hook-1'")
    with pytest.raises(Misconfigured, match="not what was sealed"):
        await KeyStore(await house.pool("hook_dispatcher"), b"k" * 32).get("hook-2")


async def test_who_takes_secrets_in_cannot_read_them_and_who_reads_cannot_write(house: House) -> None:
    store = KeyStore(await house.pool("gateway"), b"k" * 32)
    await store.put("hook-1", Secret("x"))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await store.get("hook-1")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await KeyStore(await house.pool("executor"), b"k" * 32).put("hook-1", Secret("y"))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await (await house.pool("planner")).fetch("select name from keystore.entry")
