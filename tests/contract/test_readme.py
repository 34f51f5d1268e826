"""The README is true: its settings are the code's, its dependencies are the project's, its folders exist."""

import re
import tomllib
from pathlib import Path

import msgspec
import pytest
import yaml

from contracts.plan_file import PlanFile
from infra.config import Row, Settings, describe
from services.approval.config import Settings as Approval
from services.audit.config import Settings as Audit
from services.cli.app import ALONE, NOUNS, SYSTEM
from services.cli.settings import ClientSettings as Cli
from services.executor.config import Settings as Executor
from services.gateway.config import GatewaySettings as Gateway
from services.hook_dispatcher.config import Settings as HookDispatcher
from services.planner.config import Settings as Planner
from services.relay.config import Settings as Relay

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SERVICES = {
    "planner": Planner,
    "approval": Approval,
    "executor": Executor,
    "hook_dispatcher": HookDispatcher,
    "audit": Audit,
    "gateway": Gateway,
    "relay": Relay,
    "cli": Cli,
}


def settings_table() -> str:
    """The table as it must be: a row per variable, with the services that read it."""
    read_by: dict[Row, list[str]] = {}
    for service, kind in SERVICES.items():
        for row in describe(kind):
            read_by.setdefault(row, []).append(service)
    common = set(describe(Settings))
    lines = ["| variable | default | read by | meaning |", "|---|---|---|---|"]
    for row, services in read_by.items():
        who = "all services" if row in common else ", ".join(services)
        lines.append(f"| `{row.name}` | {f'`{row.default}`' if row.default else ''} | {who} | {row.description} |")
    return "\n".join(lines)


def test_the_settings_are_those_of_the_code() -> None:
    found = re.search(r"<!-- settings: begin -->\n(.*?)<!-- settings: end -->", README, re.DOTALL)
    assert found is not None
    assert found[1].strip() == settings_table()


def test_every_dependency_says_what_it_is_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    names = {re.split(r"[\[<>=]", one)[0] for one in wanted}
    table = README.split("## Dependencies")[1]
    first_cells = re.findall(r"^\| (?:dev: |bench: )?([^|]+) \|", table, re.MULTILINE)
    said = {name.strip() for cell in first_cells for name in cell.split(",")} - {"package"}
    assert said == names


@pytest.mark.parametrize("folder", ["contracts", "infra", "services", "tests"])
def test_the_rooms_of_the_readme_exist(folder: str) -> None:
    assert f"`{folder}/`" in README
    assert (ROOT / folder).is_dir()


def test_every_file_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"`((?:contracts|infra|services|tests)/[\w./-]*)`", README))
    assert len(named) > 8
    assert {one for one in named if not (ROOT / one).exists()} == set()


def test_every_command_that_the_readme_shows_exists() -> None:
    shown = {tuple(words.split()) for words in re.findall(r"^gonogo ([a-z-]+(?: [a-z-]+)?)", README, re.MULTILINE)}
    alone = {name for name, _, _ in (*ALONE, *SYSTEM)}
    verbs = {noun: {name for name, _, _ in verbs} for noun, (_, verbs) in NOUNS.items()}
    assert len(shown) > 20
    assert {words for words in shown if words[0] not in alone and words[-1] not in verbs.get(words[0], set())} == set()


def test_the_plan_file_that_the_readme_shows_is_one() -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    plan = msgspec.convert(yaml.safe_load(shown), PlanFile)
    assert [item.id for item in plan.items] == ["notes", "deploy"]


@pytest.mark.parametrize("command", ["just up", "just test"])
def test_the_two_commands_stand_alone_on_a_line(command: str) -> None:
    assert f"\npython3 -m pip install rust-just && {command}\n" in README


@pytest.mark.parametrize("recipe", ["up", "down", "demo", "test", "check", "bench", "help"])
def test_the_justfile_has_its_recipes(recipe: str) -> None:
    assert re.search(rf"^{recipe}\b.*:", (ROOT / "justfile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("recipe", ["up", "down", "demo", "test", "bench"])
def test_a_signal_to_just_reaches_the_program_since_no_shell_is_left_between_them(recipe: str) -> None:
    text = (ROOT / "justfile").read_text()
    assert re.search(rf'^{recipe} .*:.*\n    @exec "', text, re.MULTILINE)


if __name__ == "__main__":
    print(settings_table())
