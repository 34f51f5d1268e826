"""Commands on plans as documents: list, show, create, import, edit, copy. How a plan moves on stands in `moves.py`."""

from typing import Any, Literal

from contracts.http import NewPlan
from contracts.values import Changes
from services.cli.documents import read_fields
from services.cli.files import read_bytes, read_json
from services.cli.options import READ, WRITE, File, Reading, Several, Writing, asking, current_match, segment, show_done
from services.cli.output import Output, when
from services.cli.plan_view import show_plan
from services.cli.problems import usage

_PLANS = "/api/v1/plans"
_PAGE = 200


async def list_plans(
    *,
    status: str | None = None,
    owner: str | None = None,
    label: str | None = None,
    project: str | None = None,
    text: str | None = None,
    waiting_for: str | None = None,
    item_owner: str | None = None,
    asked: str | None = None,
    touches: str | None = None,
    review_owed: bool = False,
    window_from: str | None = None,
    window_to: str | None = None,
    order: Literal["newest", "oldest", "updated", "window", "name"] | None = None,
    saved: str | None = None,
    save: str | None = None,
    limit: int = 50,
    reading: Reading = READ,
) -> None:
    """Lists plans; filters are combined by "and", values joined by commas by "or".

    Parameters
    ----------
    status
        Such as executing or wait_for_approval.
    owner
        Such as user:olivia or group:sre.
    label
        A label.
    project
        A project.
    text
        Found in name or description.
    waiting_for
        Plans that wait for this user's or group's vote.
    item_owner
        Plans with an item of this user or group.
    asked
        Plans that wait for this user or group, for whatever reason.
    touches
        Plans that touch this, such as api/production.
    review_owed
        Plans that owe a second person's review of an emergency approval.
    window_from
        Window touches the time from here on (RFC 3339).
    window_to
        Window touches the time up to here (RFC 3339).
    order
        What comes first.
    saved
        The filters and order that were saved under this name, but for those given here.
    save
        Save the filters and order under this name before they are used.
    limit
        How many at most.
    """
    if limit < 1:
        raise usage("--limit must be 1 or more.")
    query = {
        "status": status,
        "owner": owner,
        "label": label,
        "project": project,
        "text": text,
        "waiting_for": waiting_for,
        "item_owner": item_owner,
        "asked": asked,
        "touches": touches,
        "review_owed": "true" if review_owed else None,
        "window_from": window_from,
        "window_to": window_to,
        "order": order,
    }
    async with asking(reading) as (gateway, output):
        if save is not None:
            await gateway.send("PUT", f"/api/v1/lists/{segment(save)}", _filters(query))
            output.note(f"Saved as {save}.")
        plans: list[dict[str, Any]] = []
        cursor: str | None = None
        while len(plans) < limit:
            page = await gateway.get(_PLANS, **query, saved=saved, limit=min(limit - len(plans), _PAGE), cursor=cursor)
            body = page.json()
            plans += body["plans"]
            cursor = body["next"]
            if cursor is None:
                break
        _show_rows(output, plans, more=cursor is not None)


def _filters(query: dict[str, str | None]) -> dict[str, Any]:
    """The options as the filters that are saved: several values by commas are several values."""
    one_value = {"text", "window_from", "window_to", "order"}
    given = {name: value for name, value in query.items() if value is not None}
    filters: dict[str, Any] = {name: value if name in one_value else value.split(",") for name, value in given.items()}
    return filters | ({"review_owed": True} if "review_owed" in given else {})


def _show_rows(output: Output, plans: list[dict[str, Any]], *, more: bool) -> None:
    if output.as_json:
        output.json(plans)
        return
    columns = ("id", "no", "name", "project", "status", "owner", "window start", "updated")
    rows = [
        (
            plan["id"],
            plan["index"],
            plan["name"],
            plan["project"],
            plan["status"],
            plan["owners"],
            when(plan["window_start"]),
            when(plan["updated_at"]),
        )
        for plan in plans
    ]
    output.table(columns, rows, empty="No plan matches.")
    if more:
        output.note("There are more; ask for them with --limit.")


async def show(plan: str, /, *, reading: Reading = READ) -> None:
    """Shows a plan: status, what may be done next, items, approval, gates.

    Parameters
    ----------
    plan
        Id of the plan.
    """
    async with asking(reading) as (gateway, output):
        answer = await gateway.get(f"{_PLANS}/{segment(plan)}")
        if output.as_json:
            output.json(answer.body)
        else:
            show_plan(output, answer.json())


async def create(
    file: File | None = None,
    /,
    *,
    project: str | None = None,
    name: str | None = None,
    template: str | None = None,
    set: Several = None,
    writing: Writing = WRITE,
) -> None:
    """Creates a plan, and prints its id.

    Parameters
    ----------
    file
        YAML or JSON of the plan's sections, `-` for stdin.
    project
        The project; else that of the file or template.
    name
        The name; else that of the file or template.
    template
        Make it from this template; NAME@3 is its third revision.
    set
        Value of a parameter of the template, as NAME=VALUE; give it several times.
    """
    if template is not None:
        if file is not None:
            raise usage("--template and a FILE do not go together.")
        await _from_template(template, set or [], project, name, writing)
        return
    if set:
        raise usage("--set goes with --template.")
    given = {field: value for field, value in (("project", project), ("name", name)) if value is not None}
    body = read_fields(file, NewPlan, given) if file else given
    async with asking(writing) as (gateway, output):
        answer = await gateway.send("POST", _PLANS, body, key=writing.key)
        _show_created(output, answer.body, answer.json()["id"])


async def _from_template(
    template: str, values: list[str], project: str | None, name: str | None, writing: Writing
) -> None:
    slug, _, revision = template.partition("@")
    if revision and not revision.isdecimal():
        raise usage(f"{template} names no revision; write NAME@3.")
    if wrong := [one for one in values if "=" not in one]:
        raise usage(f"--set takes NAME=VALUE, not {wrong[0]}.")
    body: dict[str, Any] = {"values": dict(one.split("=", 1) for one in values)}
    body |= {field: value for field, value in (("project", project), ("name", name)) if value is not None}
    if revision:
        body["revision"] = int(revision)
    async with asking(writing) as (gateway, output):
        answer = await gateway.send("POST", f"/api/v1/templates/{segment(slug)}/plans", body, key=writing.key)
        _show_created(output, answer.body, answer.json()["id"])


async def import_plan(
    file: File, /, *, project: str = "default", name: str | None = None, writing: Writing = WRITE
) -> None:
    """Turns a Markdown checklist into a plan, and prints its id.

    Check boxes become items with their section as group, nested boxes become sub-steps.

    Parameters
    ----------
    file
        The checklist, `-` for stdin.
    project
        The project of the plan.
    name
        The name of the plan; else the checklist's title.
    """
    text = read_bytes(file)
    source = None if file == "-" else file.replace("\\", "/").rpartition("/")[2][:200]
    async with asking(writing) as (gateway, output):
        answer = await gateway.send(
            "POST",
            f"{_PLANS}/import",
            text,
            content_type="text/markdown",
            key=writing.key,
            project=project,
            name=name,
            source=source,
        )
        _show_created(output, answer.body, answer.json()["id"])


def _show_created(output: Output, body: bytes, plan: str) -> None:
    if output.as_json:
        output.json(body)
    else:
        output.line(plan)


async def edit(
    plan: str,
    file: File | None = None,
    /,
    *,
    section: str | None = None,
    name: str | None = None,
    description: str | None = None,
    owner: Several = None,
    label: Several = None,
    writing: Writing = WRITE,
) -> None:
    """Changes sections of a plan that is being planned; what is not named stays.

    Parameters
    ----------
    plan
        Id of the plan.
    file
        YAML or JSON of the changed sections, or JSON of one section with --section; `-` for stdin.
    section
        The file holds this section alone, such as items or window.
    name
        New name.
    description
        New description.
    owner
        New owners; give it several times.
    label
        New labels; give it several times.
    """
    pairs = {"name": name, "description": description, "owner": owner, "labels": label}
    changes: dict[str, Any] = {field: value for field, value in pairs.items() if value is not None}
    if section is not None and (file is None or changes):
        raise usage("--section goes with a FILE that holds the section, and with no other change.")
    path, method = f"{_PLANS}/{segment(plan)}", "PATCH"
    body: Any = changes
    if section is not None and file is not None:
        path, method, body = f"{path}/sections/{segment(section)}", "PUT", read_json(file)
    elif file is not None:
        body = read_fields(file, Changes, changes)
    if body == {} and section is None:
        raise usage("Nothing to change: give a FILE or an option such as --name.")
    async with asking(writing) as (gateway, output):
        match = await current_match(gateway, plan, writing)
        answer = await gateway.send(method, path, body, key=writing.key, if_match=match)
        show_done(output, answer, "Changed")


async def copy(plan: str, /, *, name: str | None = None, writing: Writing = WRITE) -> None:
    """Creates a new plan with the content of another, without window and schedule, and prints its id.

    Parameters
    ----------
    plan
        Id of the plan to copy.
    name
        Name of the new plan.
    """
    async with asking(writing) as (gateway, output):
        body = {} if name is None else {"name": name}
        answer = await gateway.send("POST", f"{_PLANS}/{segment(plan)}/copy", body, key=writing.key)
        done = answer.json()
        _show_created(output, answer.body, done["id"])
        if done.get("left_behind"):
            output.note(f"Not copied, since its time has its own meaning: {' and '.join(done['left_behind'])}.")
