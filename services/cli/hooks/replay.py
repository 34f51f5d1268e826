"""`gonogo hooks replay`: sends recorded hooks again, to an address of the developer's choice.

Id and body are those of the recorded delivery, to the byte; the time and the signature are of now. It changes nothing in
GoNoGo: a delivery is resent for good by `delivery resend`.
"""

import aiohttp

from contracts.hook_address import address_faults
from infra.clock import SystemClock
from services.cli.client import Gateway
from services.cli.exits import Exit
from services.cli.files import read_text
from services.cli.hooks.saved import Saved, read_saved
from services.cli.hooks.signature import signature_of
from services.cli.options import READ, File, Reading, Several, asking, segment
from services.cli.output import Output, clean
from services.cli.problems import Problem, usage

_ANSWER_BYTES = 4_096


async def replay(
    url: str,
    /,
    *,
    file: File | None = None,
    plan: str = "",
    delivery: Several = None,
    endpoint: str = "",
    event: str = "",
    secret_file: File | None = None,
    timeout: float = 15.0,
    reading: Reading = READ,
) -> None:
    """Sends recorded hooks again: the same id and body, signed anew.

    Parameters
    ----------
    url
        Where to.
    file
        Hooks that `hooks listen --save` kept, `-` for stdin.
    plan
        The hooks of this plan, oldest first, the newest 500.
    delivery
        This delivery; give it several times.
    endpoint
        Only what was meant for this endpoint.
    event
        Only this event.
    secret_file
        File with the secret that signs them (whsec_... or whsk_...). Default: they go unsigned.
    timeout
        Seconds that the receiver may take for each.
    """
    if (file is not None) + bool(plan) + bool(delivery) != 1:
        raise usage("Name one of --file, --plan and --delivery.")
    if faults := address_faults(url):
        raise usage(f"{url} is no address to send to: it {faults[0]}.")
    secret = read_text(secret_file).strip() if secret_file is not None else ""
    if file is not None:
        output = Output(as_json=reading.output == "json")
        hooks = read_saved(file)
    else:
        async with asking(reading) as (gateway, output):
            ids = delivery or await _deliveries_of(gateway, plan, endpoint, event)
            hooks = [await _recorded(gateway, one) for one in ids]
    await send_all(hooks, url, secret, timeout, output)


async def _deliveries_of(gateway: Gateway, plan: str, endpoint: str, event: str) -> list[str]:
    """Their ids, oldest first."""
    page = (await gateway.get("/api/v1/deliveries", plan=plan, endpoint=endpoint or None, limit=500)).json()
    wanted = [one["id"] for one in page["deliveries"] if not event or one["event"] == event]
    return wanted[::-1]


async def _recorded(gateway: Gateway, delivery: str) -> Saved:
    body = (await gateway.get(f"/api/v1/deliveries/{segment(delivery)}/hook")).json()
    return Saved(body["webhook_id"], body["body"], body["headers"])


async def send_all(hooks: list[Saved], url: str, secret: str, timeout: float, output: Output) -> None:
    """One after the other, so that they come in order. Raises Problem when one was not taken."""
    if not hooks:
        output.note("There is no hook to send.")
        return
    taken = 0
    seconds = aiohttp.ClientTimeout(total=timeout)
    async with aiohttp.ClientSession(timeout=seconds, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()) as session:
        for hook in hooks:
            status, said = await _send(session, hook, url, secret)
            taken += 200 <= status < 300
            if output.as_json:
                output.json_line({"delivery": hook.webhook_id, "status": status or None, "answer": said})
            else:
                output.line(f"{hook.webhook_id}  {status or 'failed'}  {clean(said)}".rstrip())
    if taken < len(hooks):
        raise Problem(f"{len(hooks) - taken} of {len(hooks)} hooks were not taken.", Exit.REFUSED)


async def _send(session: aiohttp.ClientSession, hook: Saved, url: str, secret: str) -> tuple[int, str]:
    """The status, 0 for none, and what was said or went wrong."""
    body, now = hook.body.encode(), SystemClock().now() // 1_000_000
    headers = {name.lower(): value for name, value in hook.headers.items()}
    headers = {"content-type": "application/json", **headers}
    headers |= {"webhook-id": hook.webhook_id, "webhook-timestamp": str(now)}
    if secret:
        try:
            headers["webhook-signature"] = signature_of(secret, hook.webhook_id, now, body)
        except ValueError as error:
            raise usage(f"The secret cannot be used: {error}.") from None
    try:
        async with session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
            said = await answer.content.read(_ANSWER_BYTES)
            return answer.status, said.decode("utf-8", "replace")
    except TimeoutError:
        return 0, "no answer in time"
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return 0, str(error) or type(error).__name__
