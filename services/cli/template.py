"""Commands on templates of plans: put, list, show, delete."""

from collections.abc import AsyncIterator
from typing import Any

from contracts.template import TemplateFile
from contracts.template_filling import has_placeholder
from services.cli.client import Gateway
from services.cli.documents import read_document
from services.cli.files import read_bytes
from services.cli.options import READ, WRITE, File, Reading, Writing, asking, match_of, segment, show_done
from services.cli.output import when
from services.cli.problems import Problem, usage
from services.cli.yaml_writing import as_yaml

_TEMPLATES = "/api/v1/templates"
_PAGE = 500


async def put(
    name: str,
    file: File | None = None,
    /,
    *,
    from_plan: str | None = None,
    from_checklist: str | None = None,
    writing: Writing = WRITE,
) -> None:
    """Stores a template of plans; a changed one becomes a new revision.

    `{{NAME}}` in its texts stands for the parameter of that name; write a backslash before two braces that are meant.

    Parameters
    ----------
    name
        The template's name.
    file
        YAML with parameters and plan, `-` for stdin.
    from_plan
        Take the content of this plan instead.
    from_checklist
        Take a Markdown checklist instead.
    """
    if sum(one is not None for one in (file, from_plan, from_checklist)) != 1:
        raise usage("Give a FILE, --from-plan or --from-checklist, and one of them.")
    path = f"{_TEMPLATES}/{segment(name)}"
    more: dict[str, Any] = {"key": writing.key, "if_match": match_of(writing)}
    async with asking(writing) as (gateway, output):
        if from_plan is not None:
            answer = await gateway.send("PUT", f"{path}/plan", {"plan": from_plan}, **more)
        elif from_checklist is not None:
            text = read_bytes(from_checklist)
            answer = await gateway.send("PUT", f"{path}/checklist", text, content_type="text/markdown", **more)
        else:
            read = read_document(file or "-", TemplateFile, is_open=has_placeholder)
            try:
                answer = await gateway.send("PUT", path, read.value, **more)
            except Problem as problem:
                raise read.located(problem) from None
        show_done(output, answer, f"Stored {name}")


async def list_templates(*, reading: Reading = READ) -> None:
    """Lists the templates that are offered."""
    async with asking(reading) as (gateway, output):
        rows = [row async for row in _all(gateway)]
        if output.as_json:
            output.json(rows)
            return
        columns = ("name", "revision", "project", "parameters", "items", "description", "put", "by")
        table = [(*(row[name] for name in columns[:6]), when(row["put_at"]), row["put_by"]) for row in rows]
        output.table(columns, table, empty="There are no templates.")


async def _all(gateway: Gateway) -> AsyncIterator[dict[str, Any]]:
    cursor: str | None = None
    while True:
        page = (await gateway.get(_TEMPLATES, limit=_PAGE, cursor=cursor)).json()
        for row in page["templates"]:
            yield row
        cursor = page["next"]
        if cursor is None:
            return


async def show(name: str, /, *, revision: int | None = None, reading: Reading = READ) -> None:
    """Prints a template as a YAML file that can be put back.

    Parameters
    ----------
    name
        The template's name; NAME@3 is its third revision.
    revision
        Which revision, from 1 on. Default: the newest.
    """
    head, at, number = name.rpartition("@")
    if at and number.isdecimal() and revision is None:
        name, revision = head, int(number)
    async with asking(reading) as (gateway, output):
        answer = await gateway.get(f"{_TEMPLATES}/{segment(name)}", revision=revision)
        if output.as_json:
            output.json(answer.body)
            return
        view = answer.json()
        comment = f"# Template {view['name']}, revision {view['revision']}.\n"
        output.document(comment + as_yaml(view["template"]))


async def delete(name: str, /, *, writing: Writing = WRITE) -> None:
    """Offers a template no more; plans that were made from it keep what they have.

    Parameters
    ----------
    name
        The template's name.
    """
    async with asking(writing) as (gateway, output):
        path = f"{_TEMPLATES}/{segment(name)}"
        answer = await gateway.send("DELETE", path, key=writing.key, if_match=match_of(writing))
        show_done(output, answer, f"Deleted {name}")
