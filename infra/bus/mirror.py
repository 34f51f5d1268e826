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

import msgspec
from nats.errors import Error as NatsError

from contracts.envelope import Fact, Position
from contracts.public import public_form
from contracts.subjects import EVENTS, STREAM, WAKE, event_subject
from infra.bus import cloudevents
from infra.bus.bus import Bus
from infra.bus.store import Fault, Store, Stored, message
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

    error: Fault | None = None
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
        self._store: Store | None = None
        self._decoder = msgspec.json.Decoder(_Reply)

    async def state(self) -> MirrorState | None:
        """What the stream holds now, or None when there is no stream."""
        reply = await self._ask(f"$JS.API.STREAM.INFO.{STREAM}", b"")
        if reply.error and reply.error.err_code == _NO_STREAM:
            return None
        _refuse(reply.error)
        state, config = reply.state or _State(), reply.config or _Config()
        whole = state.last_seq == 0 or (state.first_seq == 1 and state.messages == state.last_seq)
        return MirrorState(config.metadata.get(_METADATA, ""), state.last_seq, whole)

    async def leaves(self, first: Position, last: Position, epoch: str) -> list[bytes]:
        """The leaf hashes that these messages carry, `last` included. Empty bytes where one is missing, has none, or has not
        the id that the event of this epoch and position has."""
        return list(await asyncio.gather(*(self._leaf(sequence, epoch) for sequence in range(first, last + 1))))

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
        _refuse((await self._ask(f"$JS.API.STREAM.CREATE.{STREAM}", msgspec.json.encode(config))).error)

    async def delete(self) -> None:
        """Throw the stream away. All consumers vanish with it; every listener starts again from its own checkpoint."""
        reply = await self._ask(f"$JS.API.STREAM.DELETE.{STREAM}", b"")
        if not (reply.error and reply.error.err_code == _NO_STREAM):
            _refuse(reply.error)

    async def publish(self, facts: Sequence[Fact], epoch: str) -> None:
        """Store these events, joined to each other and to the last message. Raises MirrorChanged where that fails.

        After an exception the stream may hold any first part of them.
        """
        store = await self._opened()
        if len(facts) <= PIPELINE:
            await self._pipeline(store, facts, epoch)
            return
        for part in _parts(facts):
            await self._batch(store, part, epoch)

    async def wake(self, position: Position) -> None:
        """Tell everybody that the log has grown up to here."""
        await self._bus.publish(WAKE, str(position).encode())

    async def _opened(self) -> Store:
        """The store on the bus's present client, which is another one after the bus had to begin anew."""
        client = await self._bus.wait_connected(0)
        if self._store is None or self._store.client is not client:
            self._store = Store(client, self._timeout_seconds)
            try:
                await self._store.open()
            except (NatsError, OSError) as error:
                self._store = None
                raise Unavailable("mirror") from error
        return self._store

    async def _pipeline(self, store: Store, facts: Sequence[Fact], epoch: str) -> None:
        """All at once, each expecting the one before. Where one is refused all after it are, unless a foreign message
        took its place: then its followers are stored behind that one, and whoever looks must look so far back."""
        messages = []
        for fact in facts:
            headers = cloudevents.headers(fact, epoch)
            headers[_EXPECTED] = str(fact.position - 1)
            messages.append(self._message(fact, headers, store.reply(fact.position)))
        positions = [fact.position for fact in facts]
        for position, stored in zip(positions, await store.send(messages, positions), strict=True):
            _accept(position, stored)

    async def _batch(self, store: Store, facts: Sequence[Fact], epoch: str) -> None:
        """All or none; only the first may say what it expects, only the last is answered."""
        batch = random_id()
        last = facts[-1].position
        messages = []
        for number, fact in enumerate(facts, 1):
            headers = cloudevents.headers(fact, epoch)
            headers["Nats-Batch-Id"] = batch
            headers["Nats-Batch-Sequence"] = str(number)
            if number == 1:
                headers[_EXPECTED] = str(fact.position - 1)
            if fact.position == last:
                headers["Nats-Batch-Commit"] = "1"
            messages.append(self._message(fact, headers, store.reply(last) if fact.position == last else ""))
        (stored,) = await store.send(messages, [last])
        _accept(last, stored)

    def _message(self, fact: Fact, headers: dict[str, str], reply: str) -> bytes:
        return message(event_subject(fact.stream, fact.type), reply, headers, self._public(fact.type, fact.payload))

    async def _leaf(self, sequence: int, epoch: str) -> bytes:
        reply = await self._ask(f"$JS.API.STREAM.MSG.GET.{STREAM}", msgspec.json.encode({"seq": sequence}))
        if reply.error and reply.error.err_code in (_NO_MESSAGE, _NO_STREAM):
            return b""
        _refuse(reply.error)
        text = base64.b64decode(reply.message.hdrs if reply.message else "").partition(b"\r\n")[2]
        headers = BytesHeaderParser().parsebytes(text)
        if headers["ce-id"] != f"{epoch}/{sequence}":
            return b""
        try:
            return bytes.fromhex(headers[cloudevents.LEAF] or "")
        except ValueError:
            return b""

    async def _ask(self, subject: str, body: bytes) -> _Reply:
        client = await self._bus.wait_connected(0)
        try:
            answer = await client.request(subject, body, self._timeout_seconds)
        except (NatsError, OSError, TimeoutError) as error:
            raise Unavailable("mirror") from error
        return self._decoder.decode(answer.data)


def _parts(facts: Sequence[Fact]) -> Iterator[Sequence[Fact]]:
    """The facts cut into batches, by number and by bytes."""
    start = size = 0
    for index, fact in enumerate(facts):
        if index > start and (index - start == _BATCH or size + len(fact.payload) > _BATCH_BYTES):
            yield facts[start:index]
            start, size = index, 0
        size += len(fact.payload)
    yield facts[start:]


def _accept(position: Position, stored: Stored) -> None:
    _refuse(stored.error)
    if stored.seq != position:
        raise MirrorChanged(f"event {position} was stored as {stored.seq}")


def _refuse(error: Fault | None) -> None:
    """Raises for an error of JetStream: MirrorChanged where looking again helps, else Unavailable with its words."""
    if error is None:
        return
    if error.err_code in (_WRONG_LAST_SEQUENCE, _BATCH_INCOMPLETE, _NO_STREAM):
        raise MirrorChanged(error.description)
    raise Unavailable(f"mirror ({error.err_code}: {error.description})")
