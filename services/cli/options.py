"""The options that many commands share, and the two things that every command does with them: open the gateway, print.

A command is `async with asking(reading) as (gateway, output): ...` and nothing of its own around it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import quote

from cyclopts import Parameter

from services.cli.client import Answer, Gateway
from services.cli.output import NoticePrinter, Output
from services.cli.settings import client_settings

Several = Annotated[list[str] | None, Parameter(consume_multiple=False)]
"""An option that may be given several times."""


@Parameter(name="*")
@dataclass(frozen=True)
class Reading:
    """Options of a command that reads."""

    output: Annotated[Literal["table", "json"], Parameter(name=("--output", "-o"))] = "table"
    "A table for people or JSON for programs."


@Parameter(name="*")
@dataclass(frozen=True)
class Writing(Reading):
    """Options of a command that writes."""

    key: str = ""
    "Idempotency-Key: repeat a command whose outcome is not known under the key that it named. Default: a new one."

    if_match: str = ""
    "Only if the plan is still at this version; `*` for any. Default: the version that is read just before."


def _no_option(_type: object, name: object) -> None:
    if isinstance(name, str) and name.startswith("-") and name != "-":
        raise ValueError("There is no such option.")


File = Annotated[str, Parameter(allow_leading_hyphen=True, validator=_no_option)]
"""A file; `-` is stdin, or stdout where one is written."""

READ, WRITE = Reading(), Writing()
"""The options as they are when none is given."""


@asynccontextmanager
async def asking(options: Reading) -> AsyncIterator[tuple[Gateway, Output]]:
    """The gateway of the environment, and where to print."""
    settings = client_settings()
    output = Output(as_json=options.output == "json")
    async with Gateway.open(settings.url, settings.token, notice=NoticePrinter()) as gateway:
        yield gateway, output


def match_of(options: Writing) -> str:
    """The If-Match header that the options ask for, "" where they ask for none. A bare version gets its quotes."""
    text = options.if_match.strip()
    return text if not text or text == "*" or text.startswith('"') else f'"{text}"'


async def current_match(gateway: Gateway, plan: str, options: Writing) -> str:
    """The If-Match of the options, else the version that the plan has now."""
    return match_of(options) or (await gateway.get(f"/api/v1/plans/{segment(plan)}")).etag


def segment(text: str) -> str:
    """A text as one segment of a path. An empty one would name another resource, so it is kept visible."""
    return quote(text, safe="") or "-"


def user_reference(text: str) -> str:
    """`user:ben` of `ben` as well."""
    return text if ":" in text else f"user:{text}"


def show_done(output: Output, answer: Answer, sentence: str) -> None:
    """After a write: the answer for a program; for a person a sentence, or that it was so already, and warnings, on stderr."""
    if output.as_json:
        output.json(answer.body)
        return
    done = answer.json()
    if not done.get("changed", True):
        sentence = "Nothing to change, it is so already"
    output.note(f"{sentence} (version {done.get('version', '?')}, position {done.get('position', '?')}).")
    for warning in done.get("warnings", ()):
        output.note(warning, style="yellow")
