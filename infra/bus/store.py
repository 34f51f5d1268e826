"""Storing messages in JetStream by the hundred: prepared bytes out, acknowledgements counted.

nats-py's own way costs some 60 µs per message for headers and 100 more for a request, which is most of what a relay
does. Here each message is one byte string, many go out in one write, and their answers come to one subscription. This uses two
private methods of the pinned client (`_send_command`, `_flush_pending`); what they do is covered by the relay's tests.
"""

import asyncio
from collections.abc import Mapping, Sequence

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from infra.errors import Unavailable

_NO_RESPONDERS = "503"


class Fault(msgspec.Struct):
    """JetStream's refusal."""

    code: int
    err_code: int = 0
    description: str = ""


class Stored(msgspec.Struct):
    """JetStream's answer to a message that was to be stored."""

    error: Fault | None = None
    seq: int = 0


NO_STREAM = Fault(503, 10059, "stream not found")


def message(subject: str, reply: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """One HPUB of the NATS client protocol. The caller answers for names and values without line breaks."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    block = f"NATS/1.0\r\n{lines}\r\n".encode()
    command = f"HPUB {subject} {reply} {len(block)} {len(block) + len(body)}\r\n".encode()
    return b"".join((command, block, body, b"\r\n"))


class Store:
    """Sends prepared messages on one client and collects the answers. One call at a time."""

    def __init__(self, client: Client, timeout_seconds: float) -> None:
        self.client = client
        self._timeout_seconds = timeout_seconds
        self._inbox = client.new_inbox()
        self._decode = msgspec.json.Decoder(Stored).decode
        self._answers: dict[str, Stored] = {}
        self._wanted: set[str] = set()
        self._complete: asyncio.Future[None] | None = None

    async def open(self) -> None:
        """Listen for answers. Raises what nats-py raises."""
        await self.client.subscribe(f"{self._inbox}.*", cb=self._on_answer)

    def reply(self, name: int) -> str:
        """The reply subject of the message that the caller calls so."""
        return f"{self._inbox}.{name}"

    async def send(self, messages: Sequence[bytes], answered: Sequence[int]) -> list[Stored]:
        """Send all in one go; the answers to those named `answered`, in that order. Unavailable when one is missing."""
        replies = [self.reply(name) for name in answered]
        self._wanted, self._answers = set(replies), {}
        self._complete = asyncio.get_running_loop().create_future()
        await self.client._send_command(b"".join(messages))
        await self.client._flush_pending()
        try:
            # Not wait_for: before Python 3.12 it forgets a cancellation that comes at the moment of the answer.
            async with asyncio.timeout(self._timeout_seconds):
                await self._complete
        except TimeoutError:
            raise Unavailable("mirror") from None
        finally:
            self._complete = None
        return [self._answers[reply] for reply in replies]

    async def _on_answer(self, answer: Msg) -> None:
        if answer.subject not in self._wanted or self._complete is None:
            return  # late, of a call that gave up
        gone = (answer.headers or {}).get("Status") == _NO_RESPONDERS
        self._answers[answer.subject] = Stored(NO_STREAM) if gone else self._decode(answer.data)
        if len(self._answers) == len(self._wanted) and not self._complete.done():
            self._complete.set_result(None)
