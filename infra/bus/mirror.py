"""The mirror: the JetStream stream in which message p is event p of the log, or there is no message p.

Every message is published expecting the one before it as the last, so two writers cannot interleave and a repetition is
refused, not doubled. Few events go as single messages in a pipeline, many as atomic batches (ADR-50), which cost more
before their first message and far less after. What the stream is worth is not decided here; `infra.relay` compares it
with the log. Needs the one NATS user that may publish events.
"""

import asyncio
import base64
from collections.abc import Callable, Iterator, Sequence
from email.parser import BytesHeaderParser
from typing import Any

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from contracts.envelope import Fact, Position
from contracts.public import public_form
from contracts.subjects import EVENTS, STREAM, WAKE, event_subject
from infra.bus import cloudevents
from infra.bus.bus import Bus
from infra.errors import Unavailable
from infra.ids import random_id

PublicForm = Callable[[str, bytes], bytes]

_EXPECTED = "Nats-Expected-Last-Sequence"
PIPELINE = 32
"""Up to so many events go as single messages; so many may follow one that was refused, if another took its place."""

_BATCH = 500  # the server allows 1000
_BATCH_BYTES = 1024 * 1024  # so that a batch is stored well within the timeout
_WRONG_LAST_SEQUENCE = 10071
_NO_STREAM = 10059
_NO_MESSAGE = 10037
_BATCH_INCOMPLETE = 10176
_METADATA = "gonogo_epoch"


class MirrorChanged(Exception):
    """The stream is not what the publisher thought: gone, cut short, or written by another. Look before going on."""


class MirrorState(msgspec.Struct, frozen=True):
    """What the stream holds: of which history, up to which event, and whether no message is missing in it."""

    epoch: str
    last: Position
    whole: bool


class _Fault(msgspec.Struct):
    code: int
    err_code: int = 0
    description: str = ""


class _Config(msgspec.Struct):
    metadata: dict[str, str] = {}


class _State(msgspec.Struct):
    messages: int = 0
    first_seq: int = 0
    last_seq: int = 0


class _Message(msgspec.Struct):
    hdrs: str = ""


class _Reply(msgspec.Struct):
    """The union of the JetStream replies that we read."""

    error: _Fault | None = None
    config: _Config | None = None
    state: _State | None = None
    message: _Message | None = None
    seq: int = 0


class Mirror:
    """Reads and writes the stream. Every call raises Unavailable when NATS does not answer within `timeout_seconds`."""

    def __init__(
        self, bus: Bus, *, replicas: int = 1, timeout_seconds: float = 1.0, public: PublicForm = public_form
    ) -> None:
        self._bus = bus
        self._replicas = replicas
        self._timeout_seconds = timeout_seconds
        self._public = public
        self._decoder = msgspec.json.Decoder(_Reply)

    async def state(self) -> MirrorState | None:
        """What the stream holds now, or None when there is no stream."""
        reply = await self._ask(f"$JS.API.STREAM.INFO.{STREAM}", b"")
        if reply.error and reply.error.err_code == _NO_STREAM:
            return None
        _refuse(reply)
        state, config = reply.state or _State(), reply.config or _Config()
        whole = state.last_seq == 0 or (state.first_seq == 1 and state.messages == state.last_seq)
        return MirrorState(config.metadata.get(_METADATA, ""), state.last_seq, whole)

    async def leaves(self, first: Position, last: Position) -> list[bytes]:
        """The leaf hashes that these messages carry, `last` included; empty bytes for one without or that is missing."""
        return list(await asyncio.gather(*(self._leaf(sequence) for sequence in range(first, last + 1))))

    async def create(self, epoch: str) -> None:
        """Make the empty stream of one history. Nothing can be deleted or purged from it, only the whole of it."""
        config = {
            "name": STREAM,
            "description": "Mirror of the log: sequence = position. Written by the relay only, rebuilt at need.",
            "subjects": [EVENTS],
            "retention": "limits",
            "storage": "file",
            "discard": "new",
            "max_consumers": -1,
            "max_msgs": -1,
            "max_bytes": -1,
            "max_age": 0,
            "num_replicas": self._replicas,
            "first_seq": 1,
            "deny_delete": True,
            "deny_purge": True,
            "allow_direct": True,
            "allow_atomic": True,
            "metadata": {_METADATA: epoch},
        }
        _refuse(await self._ask(f"$JS.API.STREAM.CREATE.{STREAM}", msgspec.json.encode(config)))

    async def delete(self) -> None:
        """Throw the stream away. All consumers vanish with it; every listener starts again from its own checkpoint."""
        reply = await self._ask(f"$JS.API.STREAM.DELETE.{STREAM}", b"")
        if not (reply.error and reply.error.err_code == _NO_STREAM):
            _refuse(reply)

    async def publish(self, facts: Sequence[Fact], epoch: str) -> None:
        """Store these events, joined to each other and to the last message. Raises MirrorChanged where that fails.

        After an exception the stream may hold any first part of them.
        """
        client = await self._bus.wait_connected(0)
        if len(facts) <= PIPELINE:
            await self._pipeline(client, facts, epoch)
            return
        for part in _parts(facts):
            await self._batch(client, part, epoch)

    async def wake(self, position: Position) -> None:
        """Tell everybody that the log has grown up to here."""
        await self._bus.publish(WAKE, str(position).encode())

    async def _pipeline(self, client: Client, facts: Sequence[Fact], epoch: str) -> None:
        """All at once, each expecting the one before. Where one is refused all after it are, unless a foreign message
        took its place: then its followers are stored behind that one, and whoever looks must look so far back."""
        requests = []
        for fact in facts:
            headers = cloudevents.headers(fact, epoch)
            headers[_EXPECTED] = str(fact.position - 1)
            requests.append(self._store(client, fact, headers))
        for outcome in await asyncio.gather(*requests, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def _batch(self, client: Client, facts: Sequence[Fact], epoch: str) -> None:
        """All or none; only the first may say what it expects, only the last is answered."""
        batch = random_id()
        for number, fact in enumerate(facts, 1):
            headers = cloudevents.headers(fact, epoch)
            headers["Nats-Batch-Id"] = batch
            headers["Nats-Batch-Sequence"] = str(number)
            if number == 1:
                headers[_EXPECTED] = str(fact.position - 1)
            if number == len(facts):
                headers["Nats-Batch-Commit"] = "1"
                await self._store(client, fact, headers)
            else:
                await self._send(client, fact, headers)

    async def _send(self, client: Client, fact: Fact, headers: dict[str, str]) -> None:
        try:
            await client.publish(
                event_subject(fact.stream, fact.type), self._public(fact.type, fact.payload), headers=headers
            )
        except (NatsError, OSError) as error:
            raise Unavailable("mirror") from error

    async def _store(self, client: Client, fact: Fact, headers: dict[str, str]) -> None:
        try:
            body = self._public(fact.type, fact.payload)
            subject = event_subject(fact.stream, fact.type)
            message = await client.request(subject, body, self._timeout_seconds, headers=dict[str, Any](headers))
        except NoRespondersError as error:
            raise MirrorChanged("there is no stream") from error
        except (NatsError, OSError, TimeoutError) as error:
            raise Unavailable("mirror") from error
        reply = self._decoder.decode(message.data)
        _refuse(reply)
        if reply.seq != fact.position:
            raise MirrorChanged(f"event {fact.position} was stored as {reply.seq}")

    async def _leaf(self, sequence: int) -> bytes:
        """The leaf hash that the message carries; empty when there is none or no such message."""
        reply = await self._ask(f"$JS.API.STREAM.MSG.GET.{STREAM}", msgspec.json.encode({"seq": sequence}))
        if reply.error and reply.error.err_code in (_NO_MESSAGE, _NO_STREAM):
            return b""
        _refuse(reply)
        text = base64.b64decode(reply.message.hdrs if reply.message else "").partition(b"\r\n")[2]
        value = BytesHeaderParser().parsebytes(text)[cloudevents.LEAF]
        try:
            return bytes.fromhex(value or "")
        except ValueError:
            return b""

    async def _ask(self, subject: str, body: bytes) -> _Reply:
        client = await self._bus.wait_connected(0)
        try:
            message = await client.request(subject, body, self._timeout_seconds)
        except (NatsError, OSError, TimeoutError) as error:
            raise Unavailable("mirror") from error
        return self._decoder.decode(message.data)


def _parts(facts: Sequence[Fact]) -> Iterator[Sequence[Fact]]:
    """The facts cut into batches, by number and by bytes."""
    start = size = 0
    for index, fact in enumerate(facts):
        if index > start and (index - start == _BATCH or size + len(fact.payload) > _BATCH_BYTES):
            yield facts[start:index]
            start, size = index, 0
        size += len(fact.payload)
    yield facts[start:]


def _refuse(reply: _Reply) -> None:
    """Raises for an error of JetStream: MirrorChanged where looking again helps, else Unavailable with its words."""
    if reply.error is None:
        return
    if reply.error.err_code in (_WRONG_LAST_SEQUENCE, _BATCH_INCOMPLETE, _NO_STREAM):
        raise MirrorChanged(reply.error.description)
    raise Unavailable(f"mirror ({reply.error.err_code}: {reply.error.description})")
