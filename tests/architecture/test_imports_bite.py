"""Every import rule was seen to fail: a copy of the tree, one planted violation, and the named contract must break."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = Path(sys.executable).with_name("lint-imports")

CHAIN = "services stand on infra, infra on contracts, never back"
STRANGERS = "no service imports another"
PURE = "deciders and views reach neither ground nor drivers nor clocks"
WORDS = "the words need the standard library and msgspec only"
POSTGRES = "only the ground talks to PostgreSQL"
NATS = "only infra.bus talks to NATS"
HTTP = "only the gateway, the command line and adapters speak HTTP"
SMTP = "only adapters talk to mail servers"

SEEDS = [
    (CHAIN, "infra/clock.py", "import services.planner.config"),
    (CHAIN, "contracts/values.py", "import infra.ids"),
    (STRANGERS, "services/approval/handlers/commands.py", "import services.planner.views"),
    (STRANGERS, "services/planner/handlers/foreseeing.py", "import services.executor.decider.walk"),
    (STRANGERS, "services/planner/decider/rehearsing/stage.py", "import services.executor.handlers.plans"),
    (PURE, "services/planner/decider/rehearsing/company.py", "import infra.clock"),
    (PURE, "services/approval/decider/rounds.py", "import infra.ids"),
    (PURE, "services/planner/views.py", "import time"),
    (PURE, "services/planner/sealing.py", "import structlog"),
    (WORDS, "contracts/plan.py", "import structlog"),
    (POSTGRES, "services/audit/app.py", "import asyncpg"),
    (NATS, "infra/commands.py", "import nats"),
    (NATS, "services/relay/app.py", "import faststream"),
    (HTTP, "infra/process.py", "import aiohttp"),
    (SMTP, "services/approval/app.py", "import aiosmtplib"),
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for folder in ("contracts", "infra", "services"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def broken(tree: Path) -> set[str]:
    """The names of the contracts that this tree breaks."""
    linted = subprocess.run([LINT, "--no-cache"], cwd=tree, capture_output=True, text=True, check=False)
    assert "Contracts:" in linted.stdout, linted.stdout + linted.stderr
    return set(re.findall(r"^(.*) BROKEN(?: \(.*\))?$", linted.stdout, re.MULTILINE))


def test_the_tree_as_it_is_keeps_every_rule(tree: Path) -> None:
    assert broken(tree) == set()


@pytest.mark.parametrize(("rule", "file", "violation"), SEEDS)
def test_a_planted_violation_breaks_its_rule(rule: str, file: str, violation: str, tree: Path) -> None:
    path = tree / file
    path.write_text(f"{path.read_text()}\n{violation}\n")
    assert rule in broken(tree)


CLOSED_SET = {
    *("__init__", "__main__", "app", "config", "handlers", "decider", "views", "adapters", "projections", "sql"),
    "sealing",  # the planner's long list of what keeps a plan from being sealed: a part of its decider
}


@pytest.mark.parametrize("service", ["planner", "approval", "executor", "hook_dispatcher", "audit", "relay"])
def test_a_service_has_only_the_files_that_every_service_has(service: str) -> None:
    found = {path.stem for path in (ROOT / "services" / service).iterdir() if path.name != "__pycache__"}
    assert found <= CLOSED_SET
    assert found >= {"__init__", "__main__", "app", "config"}
