"""Freezes, calendar, conflicts, inbox and saved lists by the command line."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
import structlog

from services.cli.app import main
from tests.support.ics import parse
from tests.support.servers import Nats, Postgres
from tests.support.site import Site, open_site

API = [{"service": "api", "environment": "production"}]
WINDOW = {"start": "2031-03-03T08:00:00Z", "end": "2031-03-08T08:00:00Z"}
SPAN = ("--from", "2031-03-01T00:00:00Z", "--to", "2031-04-01T00:00:00Z")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(postgres: Postgres, nats: Nats, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder: Path = tmp_path_factory.mktemp("site")
    async with open_site(postgres, nats, folder) as site:
        yield site


class Shell:
    """The command line as somebody."""

    def __init__(self, site: Site, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._site = site
        self._capfd = capfd
        self._monkeypatch = monkeypatch
        monkeypatch.setenv("GONOGO_URL", site.url)

    async def __call__(self, *words: str, who: str = "olivia", code: int = 0) -> tuple[str, str]:
        """One command; stdout and stderr."""
        self._monkeypatch.setenv("GONOGO_TOKEN", self._site.tokens[who])
        self._capfd.readouterr()
        with structlog.testing.capture_logs():  # the services of this process log to stdout
            ended = await asyncio.to_thread(main, words)
        out, err = self._capfd.readouterr()
        assert ended == code, err
        return out, err


@pytest.fixture
def shell(site: Site, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(site, capfd, monkeypatch)


async def settled(site: Site, **query: Any) -> None:
    """Until the list has the newest plan."""
    newest = (await site("POST", "/api/v1/plans", {"project": "last", "name": "last"})).body["position"]
    assert (await site("GET", f"/api/v1/plans?min_position={newest}")).status == 200


async def test_a_freeze_is_put_listed_shown_and_deleted(shell: Shell) -> None:
    words = ("freeze", "put", "nights", "--start", "2031-01-01T22:00:00", "--end", "2031-01-02T06:00:00")
    more = ("--zone", "Europe/Berlin", "--rrule", "FREQ=DAILY", "--exdate", "2031-01-02T22:00:00", "--reason", "Sleep.")
    await shell(*words, *more, "--touches", "*/production", who="ada")
    _, err = await shell(*words, code=4)
    assert "administrator" in err
    out, _ = await shell("freeze", "list")
    assert "nights" in out
    assert "*/production" in out
    out, _ = await shell("freeze", "show", "nights", "--after", "2031-01-01T00:00:00Z", "--limit", "2")
    assert "2031-01-01 21:00:00" in out
    assert "2031-01-03 21:00:00" in out
    _, err = await shell("freeze", "put", "bad", *words[3:], "--touches", "production", who="ada", code=2)
    assert "SERVICE/ENVIRONMENT" in err
    _, err = await shell("freeze", "put", "bad", *words[3:], "--rrule", "FREQ=HOURLY", who="ada", code=1)
    assert "/rrule" in err
    await shell("freeze", "delete", "nights", "--reason", "awake", who="ada")
    _, err = await shell("freeze", "list")
    assert "nights" not in err


async def test_conflicts_are_told_at_the_seal_and_the_calendar_is_shown_and_exported(
    site: Site, shell: Shell, tmp_path: Path
) -> None:
    mine = await site.plan(name="Mine", window=WINDOW, touches=API, project="shop")
    theirs = await site.plan(name="Theirs", window=WINDOW, touches=API, project="shop")
    await settled(site)
    out, _ = await shell("plan", "conflicts", mine)
    assert "Theirs" in out
    assert "api/production" in out
    _, err = await shell("plan", "seal", mine)
    assert "(Theirs, planning) touches api/production as well" in err
    out, _ = await shell("calendar", "show", *SPAN, "--project", "shop")
    assert ("Mine" in out, "Theirs" in out, "Conflicts" in out) == (True, True, True)
    file = tmp_path / "releases.ics"
    await shell("calendar", "export", str(file), *SPAN)
    events = parse(file.read_bytes().decode()).events
    assert {f"plan-{mine}@gonogo", f"plan-{theirs}@gonogo"} <= set(events)
    for filters, shown in (
        (("--owner", "user:olivia", "--status", "planning", "--touches", "api/production"), True),
        (("--owner", "user:nobody"), False),
        (("--status", "success"), False),
        (("--touches", "api/elsewhere"), False),
    ):
        await shell("calendar", "export", str(file), *SPAN, *filters)
        assert (f"plan-{theirs}@gonogo" in parse(file.read_bytes().decode()).events) is shown, filters
    _, err = await shell("calendar", "export", str(tmp_path), *SPAN, code=2)
    assert "cannot be written" in err


async def test_an_override_is_the_administrators(site: Site, shell: Shell) -> None:
    span = ("--start", "2031-03-01T00:00:00", "--end", "2031-03-20T00:00:00")
    await shell("freeze", "put", "march", *span, "--label", "march", who="ada")
    plan = await site.plan(name="Held", window=WINDOW, labels=["march"])
    _, err = await shell("plan", "seal", plan, code=1)
    assert "/window" in err
    await shell("freeze", "override", plan, "--reason", "Agreed.", code=4)
    await shell("freeze", "override", plan, "--reason", "Agreed.", who="ada")
    await shell("plan", "seal", plan)
    out, _ = await shell("plan", "show", plan)
    assert "march by user:ada: Agreed." in out


async def test_the_inbox_and_saved_lists(site: Site, shell: Shell) -> None:
    await site.plan(name="Quiet", project="lists", labels=["x"])
    loud = await site.plan(name="Loud", project="lists", labels=["x"])
    await site("POST", f"/api/v1/plans/{loud}/seal", if_match="*")
    await settled(site)
    out, _ = await shell("inbox")
    assert "Loud" in out
    assert "Quiet" not in out
    out, _ = await shell("inbox", "--kind", "vote", "-o", "json")
    assert msgspec.json.decode(out) == []
    await shell("plan", "list", "--project", "lists", "--label", "x,y", "--order", "name", "--save", "mine")
    out, _ = await shell("plan", "list", "--saved", "mine", "-o", "json")
    assert [plan["name"] for plan in msgspec.json.decode(out)] == ["Loud", "Quiet"]
    out, _ = await shell("list", "show")
    assert "mine" in out
    assert "x, y" in out
    await shell("list", "drop", "mine")
    await shell("plan", "list", "--saved", "mine", code=5)
