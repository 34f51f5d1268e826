"""Letters to approvers by a real mail server: to whom, with what, again when it was away, once and no more."""

import socket
from collections.abc import AsyncIterator
from email.message import EmailMessage
from typing import Any

import pytest
import pytest_asyncio

from infra.config import Secret
from infra.errors import Misconfigured
from infra.projection import rebuild
from services.approval import app as approval_app
from services.approval.adapters import Addressed, Mailer
from services.approval.config import Settings
from services.approval.views import Rendered
from tests.support.mailbox import LOGIN, Mailbox, certificate, open_mailbox
from tests.support.servers import Nats, Postgres
from tests.support.site import Site, open_log, open_site
from tests.support.wait import PATIENCE_SECONDS, eventually

PEOPLE = ("olivia", "ana", "ben")
LETTER = Rendered("Please vote", "Look.", "<p>Look.</p>")


def settings(port: int, **more: Any) -> dict[str, Any]:
    return {
        "smtp_host": "127.0.0.1",
        "smtp_port": port,
        "smtp_tls": "none",
        "smtp_from": "GoNoGo <gonogo@example.org>",
        "smtp_timeout_seconds": PATIENCE_SECONDS,
        "smtp_schedule_seconds": (0.05, 0.05, 0.05),
        "public_url": "https://gonogo.example",
        **more,
    }


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mailbox() -> AsyncIterator[Mailbox]:
    async with open_mailbox() as mailbox:
        yield mailbox


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(
    postgres: Postgres, nats: Nats, mailbox: Mailbox, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Site]:
    data = tmp_path_factory.mktemp("site")
    async with open_site(postgres, nats, data, approval=settings(mailbox.port)) as site:
        for name in PEOPLE:
            groups = ["sre"] if name != "olivia" else []
            body = {"name": name.capitalize(), "groups": groups, "email": f"{name}@example.org"}
            assert (await site("PUT", f"/api/v1/users/{name}", body, as_="ada")).status == 200
        yield site


async def submitted(site: Site, *approvers: str, needed: int = 1, **more: Any) -> str:
    rules = [{"rules": [{"approvers": approvers, "needed": needed}]}]
    plan = await site.plan(approval={"levels": rules}, **more)
    for verb in ("seal", "submit"):
        assert (await site("POST", f"/api/v1/plans/{plan}/{verb}", if_match="*")).status == 200
    return f"/api/v1/plans/{plan}"


async def letters(site: Site, path: str) -> list[tuple[str, str, str, int]]:
    body = (await site("GET", f"{path}/letters")).body
    return [(one["person"], one["kind"], one["state"], one["attempts"]) for one in body["letters"]]


def about(mailbox: Mailbox, address: str, path: str) -> list[EmailMessage]:
    """The messages to this address about this plan."""
    return [one for one in mailbox.to(address) if path in text_of(one)]


def text_of(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


async def test_those_who_are_asked_get_the_link_the_seal_and_the_items_and_the_owner_the_end(
    site: Site, mailbox: Mailbox
) -> None:
    path = await submitted(site, "group:sre", needed=1)
    await eventually(lambda: about(mailbox, "ana@example.org", path) and about(mailbox, "ben@example.org", path))
    (message,) = about(mailbox, "ana@example.org", path)
    seal = (await site("GET", path)).body["seal"]["value"]
    for part in (f"https://gonogo.example{path}/review", seal, "announce: Announce"):
        assert part in text_of(message)
    html = message.get_body(("html",))
    assert html is not None
    assert seal in html.get_content()
    assert message["Subject"] == "[GoNoGo] Please vote: Release 1.2"
    assert message["To"] == "Ana <ana@example.org>"
    await site("POST", f"{path}/vote", {"vote": "approve", "seal": seal}, as_="ana")
    await eventually(lambda: about(mailbox, "olivia@example.org", path))
    assert about(mailbox, "olivia@example.org", path)[0]["Subject"] == "[GoNoGo] Approved: Release 1.2"

    async def all_sent() -> bool:
        return {one[2] for one in await letters(site, path)} == {"sent"}

    await eventually(all_sent)
    assert sorted(one[:2] for one in await letters(site, path)) == [
        ("user:ana", "asked"),
        ("user:ben", "asked"),
        ("user:olivia", "approved"),
    ]


async def test_a_letter_that_is_refused_for_now_is_tried_again_and_one_that_is_refused_for_good_is_given_up(
    site: Site, mailbox: Mailbox
) -> None:
    mailbox.answers = ["450 4.2.1 mailbox busy", ""]
    path = await submitted(site, "user:ana")
    await eventually(lambda: about(mailbox, "ana@example.org", path))
    assert await eventually(lambda: _ended(site, path)) == [("user:ana", "asked", "sent", 2)]
    mailbox.answers = ["550 5.1.1 no such user"]
    path = await submitted(site, "user:ben")
    assert await eventually(lambda: _ended(site, path)) == [("user:ben", "asked", "given_up", 1)]
    assert await eventually(lambda: _failures(site, path)) == ["recipient; 550 5.1.1 no such user"]


async def _failures(site: Site, path: str) -> list[str]:
    """What the plan's record says of letters that failed."""
    record = (await site("GET", f"{path}/record")).body["entries"]
    return [one["detail"] for one in record if one["verb"] == "fail letter"]


async def _ended(site: Site, path: str) -> list[tuple[str, str, str, int]]:
    found = await letters(site, path)
    return found if all(one[2] in {"sent", "given_up"} for one in found) else []


async def test_who_is_asked_under_an_identity_without_an_address_is_written_to_under_another(
    site: Site, mailbox: Mailbox
) -> None:
    for name, body in (("cleo", {"name": "Cleo"}), ("cleo-at-work", {"name": "C.", "email": "cleo@example.org"})):
        assert (await site("PUT", f"/api/v1/users/{name}", body, as_="ada")).status == 200
    link = {"identities": ["user:cleo", "user:cleo-at-work"]}
    assert (await site("POST", "/api/v1/people/link", link, as_="ada")).status == 200
    path = await submitted(site, "user:cleo")
    assert await eventually(lambda: _ended(site, path)) == [("user:cleo", "asked", "sent", 1)]
    assert about(mailbox, "cleo@example.org", path)[0]["To"] == "Cleo <cleo@example.org>"


async def test_a_letter_that_was_given_up_is_sent_when_somebody_asks_for_it(site: Site, mailbox: Mailbox) -> None:
    mailbox.answers = ["550 5.7.1 not now"]
    path = await submitted(site, "user:ben")
    assert await eventually(lambda: _ended(site, path)) == [("user:ben", "asked", "given_up", 1)]
    assert (await site("POST", f"{path}/letters/resend", as_="ben")).status == 403
    assert (await site("POST", f"{path}/letters/resend")).status == 200
    await eventually(lambda: about(mailbox, "ben@example.org", path))
    assert await eventually(lambda: _ended(site, path)) == [("user:ben", "asked", "sent", 2)]


async def test_a_person_without_an_address_is_told_of_in_the_list(site: Site) -> None:
    await site("PUT", "/api/v1/users/cat", {"name": "Cat"}, as_="ada")
    path = await submitted(site, "user:cat")
    assert await eventually(lambda: _ended(site, path)) == [("user:cat", "asked", "given_up", 0)]
    body = (await site("GET", f"{path}/letters")).body["letters"]
    assert body[0]["error"] == "the person has no address, or is no active user"


@pytest.mark.parametrize(
    "address", ["a@b\r\nBcc: eve@example.org", "a b@example.org", "a@b, c@d", "x", "é@example.org"]
)
async def test_an_address_that_could_be_more_than_one_is_refused(site: Site, address: str) -> None:
    answer = await site("PUT", "/api/v1/users/eve", {"email": address}, as_="ada")
    assert (answer.status, answer.paths) == (422, ["/email"])


async def test_where_letters_may_be_due_is_the_same_live_and_rebuilt(site: Site) -> None:
    async with open_log(site.apps) as log:

        async def caught_up() -> bool:
            sql = "select position from view.checkpoint where name = 'letter_rounds'"
            return bool(await log.pool.fetchval(sql) == (await log.head()).position)

        await eventually(caught_up)
        sql = "select * from view.letter_round order by plan"
        live = await log.pool.fetch(sql)
        assert {row["letters_open"] for row in live} == {0}
        await rebuild(log, approval_app.projections(log)[1], limit=2)
        assert await log.pool.fetch(sql) == live


# The conversation with the mail server, by itself


def mailer(port: int, **more: Any) -> Mailer:
    return Mailer(Settings(database_url=Secret(""), **settings(port, **more)))


def addressed(address: str = "ana@example.org", name: str = "Ana") -> Addressed:
    return Addressed("<one@example.org>", address, name, 1_790_000_000_000_000, LETTER)


async def test_starttls_with_a_login(tmp_path_factory: pytest.TempPathFactory) -> None:
    context, authority = certificate(tmp_path_factory.mktemp("tls"))
    user, password = LOGIN[0].decode(), Secret(LOGIN[1].decode())
    async with open_mailbox(context) as mailbox:
        secure: dict[str, Any] = {"smtp_host": "localhost", "smtp_tls": "starttls", "smtp_user": user}
        sent = await mailer(mailbox.port, **secure, smtp_ca_file=authority, smtp_password=password).send([addressed()])
        assert [one.error for one in sent] == [None]
        assert mailbox.encrypted == [True]
        assert mailbox.messages[0]["Message-ID"] == "<one@example.org>"
        wrong = mailer(mailbox.port, **secure, smtp_ca_file=authority, smtp_password=Secret("wrong"))
        assert [one.error for one in await wrong.send([addressed()])] == ["login"]
        strange = mailer(mailbox.port, **secure, smtp_password=password)
        assert [one.error for one in await strange.send([addressed()])] == ["tls"]
        assert len(mailbox.messages) == 1


async def test_a_mail_server_that_is_away_is_an_outcome() -> None:
    with socket.socket() as deaf:  # bound, so that nobody else is given the port, and never listening
        deaf.bind(("127.0.0.1", 0))
        sent = await mailer(deaf.getsockname()[1]).send([addressed(), addressed()])
    assert [one.error for one in sent] == ["connection", "connection"]


async def test_one_refused_letter_does_not_keep_the_others_back() -> None:
    async with open_mailbox() as mailbox:
        mailbox.answers = ["550 no", ""]
        sent = await mailer(mailbox.port).send([addressed(), addressed("ben@example.org")])
        assert [(one.error, one.final) for one in sent] == [("recipient", True), (None, False)]
        assert mailbox.recipients == ["ben@example.org"]


async def test_a_name_cannot_make_another_header() -> None:
    async with open_mailbox() as mailbox:
        await mailer(mailbox.port).send([addressed(name="Ana\r\nBcc: eve@example.org")])
        assert mailbox.messages[0]["Bcc"] is None
        assert mailbox.recipients == ["ana@example.org"]


@pytest.mark.parametrize(
    "more",
    [{"smtp_from": "nobody"}, {"smtp_from": ""}, {"smtp_user": "gonogo"}, {"smtp_tls": "tls", "smtp_ca_file": "x"}],
)
async def test_mail_settings_that_make_no_sense_are_told_at_the_start(more: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured):
        mailer(25, **more)


async def test_a_letter_that_still_cannot_be_sent_is_given_up_again(site: Site) -> None:
    await site("PUT", "/api/v1/users/dan", {"name": "Dan"}, as_="ada")
    path = await submitted(site, "user:dan")
    assert await eventually(lambda: _ended(site, path)) == [("user:dan", "asked", "given_up", 0)]
    assert (await site("POST", f"{path}/letters/resend")).status == 200
    assert await eventually(lambda: _ended(site, path)) == [("user:dan", "asked", "given_up", 0)]

    async def twice() -> bool:
        record = (await site("GET", f"{path}/record")).body["entries"]
        return [one["verb"] for one in record].count("give up letter") == 2

    await eventually(twice)
