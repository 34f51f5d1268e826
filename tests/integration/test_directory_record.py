"""Who was given which rights, by whom: in the record, without a name, an address, a token or a secret."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio

from tests.support.servers import Nats, Postgres
from tests.support.site import Site, open_log, open_site


@pytest_asyncio.fixture
async def site(postgres: Postgres, nats: Nats, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(postgres, nats, tmp_path) as site:
        yield site


async def recorded(site: Site) -> list[dict[str, Any]]:
    """The record of what is no plan's, oldest first, up to the end of the log."""
    async with open_log(site.apps) as log:
        position = (await log.head()).position
    page = await site("GET", f"/api/v1/record?order=oldest&min_position={position}", as_="ada")
    assert page.status == 200, page.text
    entries: list[dict[str, Any]] = page.body["entries"]
    return entries


async def test_who_gave_whom_which_rights_is_in_the_record_before_and_after(site: Site) -> None:
    ben = {"name": "Ben Private", "groups": ["sre"], "email": "ben@private.example"}
    raised = {**ben, "groups": ["sre", "approvers"], "administrator": True}
    assert (await site("PUT", "/api/v1/users/ben", raised, as_="ada")).status == 200
    assert (await site("PUT", "/api/v1/users/ben", {**raised, "name": "Benjamin"}, as_="ada")).status == 200
    *_, last = await recorded(site)
    assert (last["verb"], last["target"], last["actor"]) == ("put user", "user user:ben", "user:ada")
    assert last["after"] == {"groups": ["group:approvers", "group:sre"], "administrator": True}
    assert last["before"] == {"groups": ["group:sre"]}
    async with open_log(site.apps) as log:
        everything = b"".join(fact.payload for fact in await log.read_after(0))
    assert b"Private" not in everything
    assert b"private.example" not in everything


async def test_tokens_and_secrets_are_in_the_record_by_their_names_alone(site: Site) -> None:
    made = await site("POST", "/api/v1/users/ben/tokens", {"label": "ci"}, as_="ada")
    assert made.status == 201, made.text
    for _ in range(2):
        assert (await site("DELETE", f"/api/v1/tokens/{made.body['id']}", as_="ada")).status == 204
    assert (await site("PUT", "/api/v1/secrets/registry", {"value": "open sesame"}, as_="ada")).status == 200
    token = f"token {made.body['id']}"
    assert [(entry["verb"], entry["target"]) for entry in await recorded(site)] == [
        ("create token", token),
        ("revoke token", token),
        ("put secret", "secret registry"),
    ]
    async with open_log(site.apps) as log:
        everything = b"".join(fact.payload for fact in await log.read_after(0))
    assert b"open sesame" not in everything
    assert made.body["token"].encode() not in everything


async def test_what_was_refused_is_no_change_of_rights(site: Site) -> None:
    assert (await site("PUT", "/api/v1/users/ben", {"groups": ["a b"]}, as_="ada")).status == 422
    assert (await site("PUT", "/api/v1/users/ben", {"administrator": True}, as_="ben")).status == 403
    assert (await site("POST", "/api/v1/users/nobody/tokens", {}, as_="ada")).status == 404
    assert (await site("DELETE", "/api/v1/tokens/abc", as_="ada")).status == 404
    assert await recorded(site) == []
