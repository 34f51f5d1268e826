"""What the demonstration puts into its plan: two workflows, their items, the approval, the gates, the window.

The build is two real processes: one packs a small Python program, the next runs it; the second refuses until somebody
has signed off, so the item fails first. The deployment is two real HTTP calls. Each process notes under which key it
ran (`<run>/<step>/<attempt>`), so that a step that runs twice is seen.
"""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

PROJECT = "hello"
VERSION = "1.4.2"
BUILD, DEPLOY = "build-package", "deploy"
SKIP_REASON = "Not needed this time: nothing changed that concerns it."
GATE_SECONDS = 300

_PACK = """
set -eu
echo "pack $GONOGO_KEY" >> "$INPUT_FOLDER/ran"
mkdir -p "$INPUT_FOLDER/source"
printf 'print("hello %s")\\n' "$INPUT_VERSION" > "$INPUT_FOLDER/source/__main__.py"
"$INPUT_PYTHON" -m zipapp -o "$INPUT_FOLDER/hello.pyz" "$INPUT_FOLDER/source"
echo "packed hello.pyz of version $INPUT_VERSION"
echo "gonogo::output artifact=hello.pyz"
"""
_CHECK = """
set -eu
echo "check $GONOGO_KEY" >> "$INPUT_FOLDER/ran"
said=$("$INPUT_PYTHON" "$INPUT_FOLDER/hello.pyz")
echo "the program says: $said"
test "$said" = "hello $INPUT_VERSION"
if ! test -e "$INPUT_FOLDER/signed-off"; then
    echo "nobody has signed off this build" >&2
    exit 1
fi
"""


def build_workflow() -> dict[str, Any]:
    """Two scripts: pack, then check."""
    return {
        "description": "Packs a small program and runs it.",
        "inputs": [{"name": "folder"}, {"name": "python"}, {"name": "version"}],
        "stages": [
            {"name": "build", "steps": [_script("pack", _PACK)]},
            {"name": "check", "steps": [_script("check", _CHECK)]},
        ],
    }


def _script(name: str, text: str) -> dict[str, Any]:
    return {"type": "script", "name": name, "script": text.lstrip(), "timeout_seconds": 60}


def deploy_workflow(target_url: str) -> dict[str, Any]:
    """Two requests: put the version there, then ask for its health."""
    body = '{"version": "{{inputs.version}}"}'
    url = f"{target_url}/{{{{inputs.environment}}}}"
    put = {"type": "http", "name": "put", "method": "PUT", "url": url, "body": body, "effect": "idempotent"}
    ask = {"type": "http", "name": "ask", "url": f"{url}/health", "effect": "pure"}
    return {
        "description": "Puts a version into an environment and asks whether it is well.",
        "inputs": [{"name": "environment"}, {"name": "version"}],
        "stages": [{"name": "deploy", "steps": [put]}, {"name": "health", "steps": [ask]}],
    }


def workflow_items(folder: Path) -> list[dict[str, Any]]:
    """The workflow items: build, then staging, then production."""
    build = {"folder": str(folder), "python": sys.executable, "version": VERSION}
    staging, production = ({"environment": name, "version": VERSION} for name in ("staging", "production"))
    return [
        _item("run-build", "Build and check the package", BUILD, build, ()),
        _item("run-staging", "Deploy to staging", DEPLOY, staging, ("run-build",)),
        _item("run-production", "Deploy to production", DEPLOY, production, ("run-staging",)),
    ]


def _item(id_: str, name: str, workflow: str, inputs: dict[str, str], needs: tuple[str, ...]) -> dict[str, Any]:
    spec = {"type": "workflow", "project": PROJECT, "workflow": workflow, "inputs": inputs}
    return {"id": id_, "name": name, "group": "Automation", "needs": list(needs), "spec": spec}


def other_sections(now: datetime) -> dict[str, Any]:
    """Approval, gates, window. Olivia is named as approver too, so that her own vote is refused by the rule alone."""
    rule = {"approvers": ["user:olivia", "user:ana", "user:ben"], "needed": 2}
    gate = {"deadline_seconds": GATE_SECONDS}
    window = {"start": _text(now - timedelta(minutes=1)), "end": _text(now + timedelta(hours=1)), "zone": "UTC"}
    return {
        "approval": {"levels": [{"rules": [rule]}], "deadline_seconds": 3_600},
        "gates": {"finish_planning": gate, "start_execute": gate, "all_job_done": gate},
        "window": window,
        "labels": ["demo"],
    }


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
