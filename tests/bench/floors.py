"""The floors of the walk of a command, each in a process of its own as the real ones are: an echo over HTTP, an echo over
NATS, and an HTTP handler that does nothing but one INSERT. `python -m tests.bench.floors http|nats|insert ...`
"""

import asyncio
import sys

import asyncpg
import nats
import uvloop
from aiohttp import web

from contracts.subjects import command_subject

SUBJECT = command_subject("audit")
"""The commands of a service that takes none: nobody else may answer there, and a service hears its own alone."""


async def echo_http(port: str) -> None:
    """POST / gives the body back."""

    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    await _serve(handler, int(port))


async def insert_http(port: str, dsn: str) -> None:
    """POST / stores the body in a table, one row, one commit."""
    pool = await asyncpg.create_pool(dsn, min_size=32, max_size=32)

    async def handler(request: web.Request) -> web.Response:
        body = await request.read()
        await pool.execute("insert into bench_row (body) values ($1)", body)
        return web.Response(body=b"{}")

    await _serve(handler, int(port))


async def _serve(handler: object, port: int) -> None:
    app = web.Application()
    app.router.add_post("/", handler)  # type: ignore[arg-type]  # a coroutine function of a request
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


async def echo_nats(url: str, user: str, password: str) -> None:
    """A request on SUBJECT gives the body back."""
    client = await nats.connect(url, user=user, password=password)

    async def answer(message: object) -> None:
        await message.respond(message.data)  # type: ignore[attr-defined]  # a nats message

    await client.subscribe(SUBJECT, cb=answer)
    await asyncio.Event().wait()


if __name__ == "__main__":
    kinds = {"http": echo_http, "nats": echo_nats, "insert": insert_http}
    uvloop.run(kinds[sys.argv[1]](*sys.argv[2:]))  # type: ignore[operator]  # each takes its own arguments
