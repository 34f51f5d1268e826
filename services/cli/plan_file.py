"""Plans as files: apply one, export a plan into one, print the JSON Schema by which an editor helps to write it."""

import difflib
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from contracts.plan_file import SCHEMA_PATH, PlanFile, identity_faults, plan_file_schema
from services.cli.client import Answer, Gateway
from services.cli.documents import Read, read_document, wrong
from services.cli.exits import Exit
from services.cli.files import called
from services.cli.options import READ, WRITE, File, Reading, Writing, asking, match_of, segment
from services.cli.output import Output
from services.cli.problems import Problem
from services.cli.settings import client_settings
from services.cli.yaml_writing import as_yaml

_APPLY = "/api/v1/plans/apply"


async def apply(
    *,
    file: Annotated[File, Parameter(name=("--file", "-f"))],
    dry_run: bool = False,
    writing: Writing = WRITE,
) -> int:
    """Creates the plan of a file, or changes it to match; prints the plan's id.

    Project and key of the file say which plan it is; one that is so already is left alone. A dry run ends with code 7 when
    there is something to change. Nothing that somebody changes meanwhile is overwritten (code 6), nor, where the file has
    a line `version`, what was changed since that version.

    Parameters
    ----------
    file
        YAML of the plan, `-` for stdin.
    dry_run
        Print the difference and change nothing.
    """
    read = read_document(file, PlanFile)
    if faults := list(identity_faults(read.value.get("key"), read.value.get("plan"))):
        raise wrong(read, faults)
    async with asking(writing) as (gateway, output):
        foreseen = await _sent(gateway, read, dry_run="true")
        outcome = foreseen.json()["outcome"]
        if dry_run:
            _show_difference(output, foreseen, read)
            return Exit.OK if outcome == "unchanged" else Exit.DIFFERS
        match = match_of(writing) or foreseen.etag
        answer = await _sent(gateway, read, key=writing.key, if_match=match)
        _show_applied(output, answer)
    return Exit.OK


async def _sent(
    gateway: Gateway, read: Read, *, key: str = "", if_match: str = "", dry_run: str | None = None
) -> Answer:
    try:
        return await gateway.send("POST", _APPLY, read.value, key=key, if_match=if_match, dry_run=dry_run)
    except Problem as problem:
        raise read.located(problem) from None


def _show_applied(output: Output, answer: Answer) -> None:
    if output.as_json:
        output.json(answer.body)
        return
    done = answer.json()
    output.line(done["id"])
    sections = ", ".join(done["sections"])
    said = {"created": "Created", "changed": f"Changed {sections}", "unchanged": "Nothing to change"}[done["outcome"]]
    output.note(f"{said} (version {done['version']}, position {done['position']}).")


def _show_difference(output: Output, answer: Answer, read: Read) -> None:
    if output.as_json:
        output.json(answer.body)
        return
    done = answer.json()
    if done["outcome"] == "unchanged":
        output.note(f"Nothing to change: the plan is at version {done['version']}.")
        return
    if not done["changes"]:
        output.line(f"differs: {', '.join(done['sections'])}")
        output.note("The difference is too large to be shown.")
        return
    before = {name: change["before"] for name, change in done["changes"].items() if change["before"] is not None}
    after = {name: change["after"] for name, change in done["changes"].items()}
    was = f"plan {done['id']} (version {done['version']})" if done["outcome"] == "changed" else "(no plan)"
    lines = difflib.unified_diff(_lines(before), _lines(after), was, called(read.name), lineterm="")
    output.raw("\n".join(lines))


def _lines(sections: dict[str, Any]) -> list[str]:
    return as_yaml(sections).splitlines() if sections else []


async def export(plan: str, /, *, key: str | None = None, pinned: bool = True, reading: Reading = READ) -> None:
    """Prints a plan as a YAML file that applies back to the very same plan.

    Parameters
    ----------
    plan
        Id of the plan.
    key
        Make it the file of another plan, with this key: a new plan when it is applied.
    pinned
        Write the plan's version, so that applying the file later does not overwrite newer changes.
    """
    async with asking(reading) as (gateway, output):
        view = (await gateway.get(f"/api/v1/plans/{segment(plan)}")).json()
        source = view["source"] or {}
        own = source.get("name") if source.get("kind") == "file" else None
        which = {"key": key or own} if key or own else {"plan": view["id"]}
        if pinned and (key is None or key == own):
            which["version"] = view["version"]
        document = {"project": view["project"], **which, **view["content"]}
        if output.as_json:
            output.json(document)
            return
        comment = f"# yaml-language-server: $schema={client_settings().url.rstrip('/')}{SCHEMA_PATH}\n"
        output.document(comment + as_yaml(document))


def schema() -> None:
    """Prints the JSON Schema of plan files, for editors."""
    Output(as_json=True).json(msgspec.json.encode(plan_file_schema()))
