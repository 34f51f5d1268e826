"""What a service tells about itself over HTTP: `/healthz` (the loop lives), `/readyz` (may work be sent), `/metrics`.

A listener of its own, since an HTTP framework costs 10 MB in each process. It reads one GET request per connection, at most
8 KiB of it within 5 s, and nothing else; it belongs on loopback or inside a cluster, never on the open net.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Self

from infra.errors import Misconfigured

_LONGEST_REQUEST_BYTES = 8 * 1024
_REQUEST_SECONDS = 5.0
_TEXT = "text/plain; charset=utf-8"
_REASONS = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}


class StatusListener:
    """`ready` returns None when work may be sent, else the reason why not, as a short text."""

    def __init__(self, ready: Callable[[], str | None]) -> None:
        self._ready = ready
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(cls, host: str, port: int, ready: Callable[[], str | None], announce: Path | None = None) -> Self:
        """Listens. Writes the port, as text, into `announce`. Misconfigured when the port is taken."""
        listener = cls(ready)
        try:
            listener._server = await asyncio.start_server(listener._accept, host, port, limit=_LONGEST_REQUEST_BYTES)
        except OSError as error:
            raise Misconfigured(
                f"the status port {host}:{port} cannot be used: {os.strerror(error.errno or 0)}"
            ) from None
        if announce is not None:
            _write_whole(announce, f"{listener.port}\n")
        return listener

    @property
    def port(self) -> int:
        if self._server is None:
            raise RuntimeError("not listening")
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            for task in self._open:
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)
            await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._open.add(task)
            task.add_done_callback(self._open.discard)
        # A peer that talks nonsense, too slowly, or hangs up gets no answer.
        silenced = (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, UnicodeDecodeError)
        try:
            with contextlib.suppress(*silenced):
                async with asyncio.timeout(_REQUEST_SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(self._answer(head.split(b"\r\n", 1)[0].decode("ascii")))
                    await writer.drain()
        finally:
            writer.close()

    def _answer(self, request_line: str) -> bytes:
        method, _, rest = request_line.partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        if method not in ("GET", "HEAD"):
            return _response(405, "only GET\n")
        match path:
            case "/healthz":
                return _response(200, "alive\n", head=method == "HEAD")
            case "/readyz":
                reason = self._ready()
                return _response(200 if reason is None else 503, f"{reason or 'ready'}\n", head=method == "HEAD")
            case "/metrics":
                # Here, so that a process that nobody measures does not load it.
                from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

                return _response(200, generate_latest(), CONTENT_TYPE_PLAIN_0_0_4, head=method == "HEAD")
            case _:
                return _response(404, "try /healthz, /readyz or /metrics\n")


def _response(status: int, body: str | bytes, kind: str = _TEXT, *, head: bool = False) -> bytes:
    content = body.encode() if isinstance(body, str) else body
    lines = (
        f"HTTP/1.1 {status} {_REASONS[status]}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(content)}",
        "Cache-Control: no-store",
        "Connection: close",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (b"" if head else content)


def _write_whole(file: Path, text: str) -> None:
    """In one step, so that nobody reads half a number."""
    fresh = file.with_name(f"{file.name}.{os.getpid()}.new")
    fresh.write_text(text)
    fresh.rename(file)
