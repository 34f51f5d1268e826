"""The sender's real session against addresses that it may not reach, and names whose answer changes."""

import socket
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from aiohttp.abc import AbstractResolver, ResolveResult

from infra.addresses import reach_of
from services.hook_dispatcher.adapters import Hook, Sender
from services.hook_dispatcher.decider.deliveries import Sent
from tests.support.receiver import Receiver

ANY_PORT = ("1-65535",)


class Names(AbstractResolver):
    """Gives these answers one after the other, the last for ever; each is a list of addresses."""

    def __init__(self, *answers: tuple[str, ...]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=6,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        pass


@pytest_asyncio.fixture(loop_scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


async def sent_to(
    url: str,
    *,
    allow: tuple[str, ...] = (),
    ports: tuple[str, ...] = ANY_PORT,
    names: Names | None = None,
    times: int = 1,
) -> list[Sent]:
    sender = Sender(reach=reach_of(allow, ports), timeout_seconds=5, instance_url="us", resolver=names)
    try:
        hook = Hook(delivery="d", raised="r", url=url, body=b"{}", sent_at=1)
        return [await sender.send(hook) for _ in range(times)]
    finally:
        await sender.close()


def at(receiver: Receiver, host: str) -> str:
    return f"http://{host}:{urlsplit(receiver.url).port}/hooks"


@pytest.mark.parametrize(
    "host",
    [
        *(
            "127.0.0.1",
            "localhost",
            "0.0.0.0",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[64:ff9b::7f00:1]",
        ),
        *("0x7f.1", "0x7f000001", "2130706433", "017700000001", "0177.0.0.1", "127.1", "0", "127.0.0.1.", "localhost."),
        *("①②⑦.⓪.⓪.①", "127。0。0。1", "%31%32%37.0.0.1", "good.org@127.0.0.1", "127.0.0.1\\@good.org"),
        *(
            "[::1%25lo]",
            "[fe80::1%25lo]",
            "169.254.169.254",
            "[2002:7f00:1::]",
            "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
        ),
    ],
)
async def test_no_notation_of_an_inner_address_is_reached(receiver: Receiver, host: str) -> None:
    (sent,) = await sent_to(at(receiver, host))
    assert (sent.error, sent.status) == ("blocked_address", None)
    assert receiver.requests == []


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00:ec2::254"]
)
async def test_a_name_for_an_inner_address_is_not_reached(receiver: Receiver, address: str) -> None:
    (sent,) = await sent_to(at(receiver, "inner.example"), names=Names((address,)))
    assert sent.error == "blocked_address"
    assert receiver.requests == []


async def test_a_name_whose_second_answer_is_an_inner_address_is_not_reached_the_second_time(
    receiver: Receiver,
) -> None:
    """127.0.0.2 stands for an outer address that a name had when it was looked at; 127.0.0.1 for an inner one."""
    names = Names(("127.0.0.2",), ("127.0.0.1",))
    url = at(receiver, "rebind.example")
    (first,) = await sent_to(url, allow=("127.0.0.2/32",), names=names)
    (second,) = await sent_to(url, allow=("127.0.0.2/32",), names=names)
    assert first.error == "refused"  # it was tried: nobody listens at that address
    assert (second.error, second.status) == ("blocked_address", None)
    assert (names.asked, receiver.requests) == (2, [])


async def test_the_address_that_was_checked_is_the_one_that_is_connected_to(receiver: Receiver) -> None:
    """A resolver is asked once per connection: there is no second answer that nobody checked."""
    names = Names(("127.0.0.1",), ("10.0.0.1",))
    (sent,) = await sent_to(at(receiver, "rebind.example"), allow=("127.0.0.1/32",), names=names)
    assert (sent.status, names.asked) == (204, 1)


async def test_of_several_answers_only_those_that_may_be_reached_are_tried(receiver: Receiver) -> None:
    names = Names(("10.0.0.1", "169.254.169.254", "127.0.0.1"))
    (sent,) = await sent_to(at(receiver, "mixed.example"), allow=("127.0.0.1/32",), names=names)
    assert sent.status == 204


async def test_a_host_that_is_allowed_by_name_is_reached_and_its_neighbour_is_not(receiver: Receiver) -> None:
    names = Names(("127.0.0.1",))
    (board,) = await sent_to(at(receiver, "board.internal"), allow=("board.internal",), names=names)
    (other,) = await sent_to(at(receiver, "other.internal"), allow=("board.internal",), names=names)
    assert (board.status, other.error) == (204, "blocked_address")


async def test_a_host_that_is_allowed_by_name_is_not_let_to_the_metadata_service(receiver: Receiver) -> None:
    names = Names(("169.254.169.254",))
    (sent,) = await sent_to(at(receiver, "board.internal"), allow=("board.internal",), names=names)
    assert sent.error == "blocked_address"


async def test_a_port_that_is_not_listed_is_not_reached(receiver: Receiver) -> None:
    (sent,) = await sent_to(receiver.url, allow=("127.0.0.0/8",), ports=("443", "80"))
    assert (sent.error, receiver.requests) == ("blocked_address", [])


async def test_a_proxy_of_the_environment_is_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Receiver() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        (sent,) = await sent_to(receiver.url, allow=("127.0.0.0/8",))
    assert (sent.status, proxy.requests) == (204, [])


async def test_no_cookie_is_kept_from_one_hook_to_the_next() -> None:
    async with Receiver({"status": 200, "Set-Cookie": "a=b; Path=/"}, 204) as receiver:
        await sent_to(receiver.url, allow=("127.0.0.0/8",), times=2)
    assert "cookie" not in receiver.requests[1].headers
