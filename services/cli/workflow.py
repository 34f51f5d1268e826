"""Commands on workflows: put a definition, show one."""

from contracts.http import WorkflowBody
from services.cli.documents import read_fields
from services.cli.options import READ, WRITE, File, Reading, Writing, asking, match_of, segment, show_done
from services.cli.output import when


async def put(project: str, name: str, file: File, /, *, writing: Writing = WRITE) -> None:
    """Stores a workflow; a changed definition becomes a new revision.

    Parameters
    ----------
    project
        The workflow's project.
    name
        The workflow's name.
    file
        YAML or JSON of the definition (stages, inputs, outputs, runners), `-` for stdin.
    """
    body = read_fields(file, WorkflowBody)
    async with asking(writing) as (gateway, output):
        path = f"/api/v1/workflows/{segment(project)}/{segment(name)}"
        answer = await gateway.send("PUT", path, body, key=writing.key, if_match=match_of(writing))
        show_done(output, answer, f"Stored {project}/{name}")


async def show(project: str, name: str, /, *, revision: int | None = None, reading: Reading = READ) -> None:
    """Shows a workflow.

    Parameters
    ----------
    project
        The workflow's project.
    name
        The workflow's name.
    revision
        Which revision, from 1 on. Default: the newest.
    """
    async with asking(reading) as (gateway, output):
        answer = await gateway.get(f"/api/v1/workflows/{segment(project)}/{segment(name)}", revision=revision)
        if output.as_json:
            output.json(answer.body)
            return
        view = answer.json()
        output.pairs(
            {
                "Workflow": f"{view['project']}/{view['name']}",
                "Revision": view["revision"],
                "Digest": view["digest"],
                "Put": f"{when(view['put_at'])} by {view['put_by']}",
                "Inputs": [one["name"] for one in view["definition"].get("inputs", ())],
            }
        )
        output.heading("Steps")
        rows = [
            (stage["name"], step["name"], step["type"], step.get("effect", "at_most_once"), step.get("url", ""))
            for stage in view["definition"]["stages"]
            for step in stage["steps"]
        ]
        output.table(("stage", "step", "type", "effect", "url"), rows)
