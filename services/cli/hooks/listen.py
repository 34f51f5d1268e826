"""`gonogo hooks listen`: a receiver on this machine that prints hooks, checks their signatures and answers as it is told."""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter

from infra.clock import SystemClock
from services.cli.client import Gateway
from services.cli.files import read_text
from services.cli.hooks.desk import Desk, Say, Send
from services.cli.hooks.receiver import Hook, Receiver
from services.cli.hooks.signature import signature_fault
from services.cli.hooks.told import callback_of
from services.cli.options import READ, File, Reading, asking
from services.cli.output import Output
from services.cli.problems import Problem, usage

Answer = Literal["success", "failed", "executing", "ask", "none"]


async def listen(
    *,
    host: str = "127.0.0.1",
    port: Annotated[int, Parameter(name=("--port", "-p"))] = 8080,
    secret_file: Annotated[list[File] | None, Parameter(consume_multiple=False)] = None,
    answer: Answer = "none",
    text: str = "",
    status: int = 204,
    save: Path | None = None,
    count: int | None = None,
    reading: Reading = READ,
) -> None:
    """Receives hooks on this machine: prints them, checks their signatures, answers as told.

    Parameters
    ----------
    host
        Where to listen.
    port
        On which port; 0 takes a free one.
    secret_file
        File with the endpoint's secret (whsec_...) or public key (whpk_...); several during a rotation. Default: nothing
        is checked.
    answer
        What to say to a plan that waits: a result, `ask` at each hook, or nothing.
    text
        Reason or progress text of the answer.
    status
        HTTP status for each genuine hook; 503 shows how deliveries are tried again.
    save
        File to which hooks are added, for `hooks replay --file`.
    count
        End after so many hooks.
    """
    if not 200 <= status <= 599:
        raise usage("--status must be from 200 to 599.")
    if count is not None and count < 1:
        raise usage("--count must be 1 or more.")
    secrets = [_secret_in(name) for name in secret_file or ()]
    clock = SystemClock()
    async with _answering(answer, text, reading) as (say, send, output):
        desk = Desk(output, say, send, save=save, count=count)
        receiver = Receiver(desk.take, clock, secrets=secrets, status=status)
        try:
            await receiver.open(host, port)
            _introduce(output, receiver.url, checked=bool(secrets))
            await desk.work()
        finally:
            await receiver.close()


def _secret_in(name: str) -> str:
    secret = read_text(name).strip()
    try:
        signature_fault(secret, {}, b"", 0)
    except ValueError as error:
        raise usage(f"The secret cannot be used: {error}.") from None
    return secret


def _introduce(output: Output, url: str, *, checked: bool) -> None:
    """Ready: the address is data, in both forms of output."""
    if output.as_json:
        output.json_line({"listening": url})
        return
    output.line(f"Listening on {url}; Ctrl-C ends it.")
    output.note(f"Send hooks here: gonogo endpoint put NAME {url}")
    output.note("Where the address is private, the dispatcher needs it in GONOGO_HOOK_ALLOW and GONOGO_HOOK_PORTS.")
    if not checked:
        output.note("Signatures are not checked; --secret-file does that.", style="yellow")


@asynccontextmanager
async def _answering(
    answer: Answer, text: str, reading: Reading
) -> AsyncIterator[tuple[Callable[[Hook], Awaitable[Say]], Send, Output]]:
    """What to say, and the way to say it. The gateway is opened only when there is something to say."""
    if answer == "none":
        output = Output(as_json=reading.output == "json")
        yield _constant("", ""), _send_nothing, output
        return
    async with asking(reading) as (gateway, output):
        say = Prompt(output).ask if answer == "ask" else _constant(answer, text)
        yield say, _sending(gateway), output


def _constant(result: str, text: str) -> Callable[[Hook], Awaitable[Say]]:
    async def say(_: Hook) -> Say:
        return result, text

    return say


async def _send_nothing(_: Hook, __: Say) -> str:
    return ""


def _sending(gateway: Gateway) -> Send:
    """By callback, under a key of the delivery and the result: said twice it counts once."""

    async def send(hook: Hook, say: Say) -> str:
        result, text = say
        try:
            body = msgspec.json.encode(callback_of(hook.told, result, text))
            await gateway.send(
                "POST", "/api/callback/release_plan", body, key=f"listen-{hook.delivery}-{result}-{hook.at}"
            )
        except msgspec.ValidationError as error:
            return f"not sent: {error}"
        except Problem as problem:
            return f"refused: {problem.lines()[0]}"
        return "accepted"

    return send


class Prompt:
    """Asks on stderr and reads from stdin, in a thread of its own that nobody has to wait for when Ctrl-C is pressed."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._lines: asyncio.Queue[str] = asyncio.Queue()
        self._thread: threading.Thread | None = None

    async def ask(self, hook: Hook) -> Say:
        self._output.note(
            f'Answer to {hook.told.event} of "{hook.told.name}": success, failed REASON, executing TEXT, or nothing?'
        )
        if self._thread is None:
            loop = asyncio.get_running_loop()
            self._thread = threading.Thread(target=self._read, args=(loop,), daemon=True)
            self._thread.start()
        result, _, text = (await self._lines.get()).strip().partition(" ")
        return result, text.strip()

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        while line := sys.stdin.readline():
            loop.call_soon_threadsafe(self._lines.put_nowait, line)
        loop.call_soon_threadsafe(self._lines.put_nowait, "")
