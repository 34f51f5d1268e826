"""Commands on endpoints: where hooks go, which, in which form, and with which secret."""

from typing import Any, Literal

from services.cli.files import read_text
from services.cli.options import READ, WRITE, File, Reading, Several, Writing, asking, match_of, segment, show_done
from services.cli.output import when

Format = Literal["zadig", "standard", "both"]


async def put(
    name: str,
    url: str,
    /,
    *,
    secret_file: File | None = None,
    event: Several = None,
    format: Format = "zadig",  # the option's name
    project: str | None = None,
    plan: str | None = None,
    ordered: bool = False,
    concurrency: int | None = None,
    rate_per_minute: int | None = None,
    key_pair: bool = False,
    verify: bool = False,
    disabled: bool = False,
    writing: Writing = WRITE,
) -> None:
    """Stores where hooks go.

    Parameters
    ----------
    name
        Name of the endpoint.
    url
        Where to POST.
    secret_file
        File with the secret that signs the hooks, `-` for stdin. Default: the one kept before stays.
    event
        Only this hook or these events, such as `start_execute`, `plan.*`, `gate.>`; give it several times. Default: the
        three hooks.
    format
        The reference system's body, a CloudEvent, or one delivery of each.
    project
        Only plans of this project.
    plan
        Only this plan.
    ordered
        A hook of a plan waits for the one before it.
    concurrency
        Hooks that one dispatcher sends there at once.
    rate_per_minute
        Hooks that one dispatcher sends there in a minute.
    key_pair
        Sign with Ed25519; `endpoint show` shows the public half.
    verify
        Send nothing before the address has echoed a challenge.
    disabled
        Keep it, but send nothing.
    """
    body: dict[str, Any] = {
        "url": url,
        "enabled": not disabled,
        "format": format,
        "ordered": ordered,
        "verify": verify,
        "signing": "ed25519" if key_pair else "hmac",
    }
    more = {
        "secret": None if secret_file is None else read_text(secret_file).strip(),
        "events": event,
        "project": project,
        "plan": plan,
        "concurrency": concurrency,
        "rate_per_minute": rate_per_minute,
    }
    body |= {field: value for field, value in more.items() if value is not None}
    await _send("PUT", name, "", body, writing, f"Stored endpoint {name}")


async def list_endpoints(*, reading: Reading = READ) -> None:
    """Lists where hooks go."""
    async with asking(reading) as (gateway, output):
        answer = await gateway.get("/api/v1/endpoints")
        if output.as_json:
            output.json(answer.body)
            return
        rows = [
            (one["name"], one["url"], one["events"], one["format"], _scope(one), _state(one), one["signing"], one["id"])
            for one in answer.json()["endpoints"]
        ]
        columns = ("name", "url", "events", "format", "scope", "state", "signing", "id")
        output.table(columns, rows, empty="There is no endpoint.")


async def show(name: str, /, *, reading: Reading = READ) -> None:
    """Shows an endpoint; never its secret.

    Parameters
    ----------
    name
        Name of the endpoint.
    """
    async with asking(reading) as (gateway, output):
        answer = await gateway.get(f"/api/v1/endpoints/{segment(name)}")
        if output.as_json:
            output.json(answer.body)
            return
        one = answer.json()
        output.pairs(
            {
                "Endpoint": one["name"],
                "URL": one["url"],
                "State": _state(one),
                "Why": one["reason"],
                "Events": one["events"],
                "Format": one["format"],
                "Scope": _scope(one),
                "Ordered": "yes" if one["ordered"] else "",
                "At once": one["concurrency"],
                "Per minute": one["rate_per_minute"] or "",
                "Signing": one["signing"] if one["signed"] else "unsigned",
                "Public key": one["public_key"],
                "Old secret until": when(one["previous_until"]),
                "Id": one["id"],
            }
        )


async def rotate(
    name: str, /, *, secret_file: File | None = None, overlap_seconds: int = 86_400, writing: Writing = WRITE
) -> None:
    """Signs with a new secret, and for a while with the one before as well.

    Parameters
    ----------
    name
        Name of the endpoint.
    secret_file
        File with the new secret, `-` for stdin. Left out for a key pair, which is made anew.
    overlap_seconds
        How long both sign.
    """
    body: dict[str, Any] = {"overlap_seconds": overlap_seconds}
    if secret_file is not None:
        body["secret"] = read_text(secret_file).strip()
    await _send("POST", name, "/rotate", body, writing, f"Rotated the secret of {name}")


async def send_test(name: str, /, *, writing: Writing = WRITE) -> None:
    """Sends a test: a real delivery.

    Parameters
    ----------
    name
        Name of the endpoint.
    """
    await _send(
        "POST", name, "/test", {}, writing, f"A test goes to {name}; see: gonogo delivery list --endpoint {name}"
    )


async def enable(name: str, /, *, reason: str = "", writing: Writing = WRITE) -> None:
    """Switches an endpoint on; one that must be verified and is not gets a new challenge.

    Parameters
    ----------
    name
        Name of the endpoint.
    reason
        Why, for the record.
    """
    await _send("POST", name, "/enable", {"reason": reason}, writing, f"Enabled {name}")


async def disable(name: str, /, *, reason: str = "", writing: Writing = WRITE) -> None:
    """Switches an endpoint off; what is on its way ends as dead deliveries, which can be resent.

    Parameters
    ----------
    name
        Name of the endpoint.
    reason
        Why, for the record.
    """
    await _send("POST", name, "/disable", {"reason": reason}, writing, f"Disabled {name}")


async def _send(method: str, name: str, verb: str, body: dict[str, Any], writing: Writing, sentence: str) -> None:
    async with asking(writing) as (gateway, output):
        path = f"/api/v1/endpoints/{segment(name)}{verb}"
        answer = await gateway.send(method, path, body, key=writing.key, if_match=match_of(writing))
        show_done(output, answer, sentence)


def _scope(one: dict[str, Any]) -> str:
    if one["plan"]:
        return f"plan {one['plan']}"
    return f"project {one['project']}" if one["project"] else "all"


def _state(one: dict[str, Any]) -> str:
    if not one["enabled"]:
        return "disabled"
    return "unverified" if one["verify"] and not one["verified"] else "enabled"
