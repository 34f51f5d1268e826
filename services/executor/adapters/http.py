"""HTTP steps: one request under the step's idempotency key, its answer kept.

Inputs stand as `{{inputs.NAME}}` in the URL (percent-encoded), the headers and the body (as JSON strings hold them, where
the body is JSON). No redirects, no cookies, no proxies from the environment: what was sealed is where the request goes.
A request whose outcome is not known (we crashed) is sent again under the same key only if its effect class allows it.
"""

import asyncio
import json
import re
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import quote

import aiohttp
import structlog

from contracts.workflow import HttpStep
from infra.addresses import Blocked, Network, guarded_sockets
from infra.blobs import Blobs, BlobWriter
from services.executor.adapters.saying import Masker
from services.executor.adapters.step import Ended, Job, Stop, lost, stopped
from services.executor.decider.runs import repeatable

log = structlog.get_logger()

KEPT_BYTES = 1024 * 1024
_PIECE_BYTES = 64 * 1024
_MAYBE_DONE = "the request may have been carried out"
_REFERENCE = re.compile(r"\{\{\s*inputs\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")


class Requests:
    """Carries out HTTP steps over one session. `close` when the executor ends.

    They reach public addresses, and the networks of `allow`: whoever may write a workflow is no insider of ours.
    `along` gives the headers of the trace that a request belongs to, where traces are kept; a step's own go before them.
    """

    def __init__(
        self, blobs: Blobs, allow: Iterable[Network] = (), along: Callable[[], Mapping[str, str]] | None = None
    ) -> None:
        self._along = along
        self._blobs = blobs
        self._allow = tuple(allow)
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def perform(self, job: Job, stop: Stop) -> Ended:
        """Send it and wait for the answer, the time limit, or the order to stop."""
        step = job.step
        assert isinstance(step, HttpStep)
        if job.resumed and not repeatable(step):
            return Ended(*lost(job))
        asking = asyncio.create_task(self._ask(job, step), name=f"request {job.key}")
        stopping = asyncio.create_task(stop.wait(step.timeout_seconds), name=f"stop {job.key}")
        try:
            await asyncio.wait((asking, stopping), return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                return asking.result()
            if stop.why is not None:
                return Ended(*stopped(job, stop.why))
            return Ended("timeout", f"no answer within {step.timeout_seconds} s; {_MAYBE_DONE}")
        finally:
            for task in (asking, stopping):
                task.cancel()
            await asyncio.gather(asking, stopping, return_exceptions=True)

    async def forget(self, job: Job) -> None:
        """Nothing is kept but the answer."""

    async def _ask(self, job: Job, step: HttpStep) -> Ended:
        masker = await asyncio.to_thread(Masker, [secret.reveal() for secret in job.secrets.values()])
        try:
            return await self._exchange(job, step, masker)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            blocked = _blocked(error)
            if blocked is not None:
                return Ended("failed", f"{blocked.strerror}; GONOGO_HTTP_ALLOW names the networks that are")
            # Its text may quote the URL, and the URL may hold a credential.
            told = masker.text(f"{type(error).__name__}: {error}")[:500]
            return Ended("failed", told if _never_sent(error) else f"{told}; {_MAYBE_DONE}")

    async def _exchange(self, job: Job, step: HttpStep, masker: Masker) -> Ended:
        headers = _headers(job, step)
        if self._along is not None and "traceparent" not in {name.lower() for name in headers}:
            headers |= self._along()
        body = _filled(step.body, job, _json_text if _is_json(headers) else str).encode() if step.body else None
        async with self._open().request(
            step.method,
            _filled(step.url, job, _url_text),
            headers=headers,
            data=body,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None),  # ours, in perform
        ) as answer:
            writer = self._blobs.writer(job.run, job.index, job.attempt)
            try:
                await _keep(answer, writer, masker)
                output = await asyncio.to_thread(writer.close)
            finally:
                writer.abandon()
            expected = answer.status in step.expect
            error = "" if expected else f"answered {answer.status}, expected {', '.join(map(str, step.expect))}"
            return Ended("passed" if expected else "failed", error, answer.status, output)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(socket_factory=guarded_sockets(self._allow))
            cookies = aiohttp.DummyCookieJar()
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=cookies, trust_env=False)
        return self._session


def _never_sent(error: Exception) -> bool:
    """It failed before anything went out: whoever decides about a retry need not ask over there."""
    return isinstance(error, aiohttp.ClientConnectorError | ValueError)


def _blocked(error: Exception) -> Blocked | None:
    """What the guard said, where it was the guard."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, Blocked):
        cause = cause.__cause__ or getattr(cause, "os_error", None)
    return cause


async def _keep(answer: aiohttp.ClientResponse, writer: BlobWriter, masker: Masker) -> None:
    """The first 1 MiB of the answer's body. The rest is not read."""
    left = KEPT_BYTES
    while left and (piece := await answer.content.read(min(left, _PIECE_BYTES))):
        left -= len(piece)
        writer.write(masker.feed(piece))
    writer.write(masker.end())


def _headers(job: Job, step: HttpStep) -> dict[str, str]:
    headers = {name: _filled(value, job, str) for name, value in step.headers.items()}
    given = {name.lower() for name in headers}
    if step.body and "content-type" not in given:
        json_like = step.body.lstrip()[:1] in ("{", "[")
        headers["Content-Type"] = "application/json" if json_like else "text/plain; charset=utf-8"
    return {name: value for name, value in headers.items() if name.lower() != "idempotency-key"} | {
        "Idempotency-Key": job.key
    }


def _is_json(headers: Mapping[str, str]) -> bool:
    return any("json" in value.lower() for name, value in headers.items() if name.lower() == "content-type")


def _json_text(value: str) -> str:
    """As it stands between the quotes of a JSON string, so that a quote in it ends nothing."""
    return json.dumps(value)[1:-1]


def _filled(template: str, job: Job, written: Callable[[str], str]) -> str:
    return _REFERENCE.sub(lambda match: written(job.value(match[1])), template)


def _url_text(value: str) -> str:
    """Percent-encoded whole. A dot segment would lead to another place and cannot be encoded away."""
    if value in {".", ".."}:
        raise ValueError("an input in a URL must not be . or ..")
    return quote(value, safe="")
