"""What would happen, asked over HTTP: nothing is written, and what comes is what was said."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.servers import Nats, Postgres
from tests.support.site import Site, open_site


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(postgres: Postgres, nats: Nats, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder: Path = tmp_path_factory.mktemp("site")
    async with open_site(postgres, nats, folder) as site:
        yield site


async def test_a_seal_check_writes_nothing_and_tells_the_seal_that_sealing_then_makes(site: Site) -> None:
    plan = await site.plan()
    check = await site("GET", f"/api/v1/plans/{plan}/seal-check", as_="ana")
    assert (check.body["sealable"], check.body["code"]) == (False, "forbidden")
    check = await site("GET", f"/api/v1/plans/{plan}/seal-check")
    assert (check.status, check.body["sealable"], check.body["version"]) == (200, True, 1)
    assert (await site.view(plan))["status"] == "planning"
    await site("POST", f"/api/v1/plans/{plan}/seal", if_match=check.etag)
    assert (await site.view(plan))["seal"]["value"] == check.body["seal"]


async def test_a_seal_check_tells_every_problem_at_once(site: Site) -> None:
    items = [{"id": "a", "name": "a", "needs": ["b"], "owner": ["user:nobody"], "spec": {"type": "text"}}]
    plan = await site.plan(items=items)
    check = await site("GET", f"/api/v1/plans/{plan}/seal-check")
    assert [fault["path"] for fault in check.body["faults"]] == ["/items/0/owner/0", "/items/0/needs/0"]
    assert (await site("GET", f"/api/v1/plans/{'0' * 24}/seal-check")).status == 404
