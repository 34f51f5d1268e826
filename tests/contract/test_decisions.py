"""The decision tables are those of the code, and leave nothing out."""

from typing import get_args

import pytest

from contracts.commands import SERVICES, Command
from contracts.plan import Status
from tests.support.decisions import COMMANDS, FILE, ROLES, document, plans

NOT_OF_A_PLAN = {
    "create_plan",
    "copy_plan",
    "check_seal",
    "rehearse_plan",
    "put_template",
    "delete_template",
    "fill_template",
    "put_freeze",
    "save_list",
    "drop_list",
    "delete_freeze",
    "link_identities",
    "unlink_identity",
    "put_workflow",
    "put_endpoint",
    "rotate_endpoint",
    "enable_endpoint",
    "disable_endpoint",
    "test_endpoint",
    "resend_delivery",
    "resend_letters",
    "show_hook",
}
"""Commands that begin a plan, ask without deciding, or are about something else than a plan."""


def tag(command: type[Command]) -> str:
    return str(command.__struct_config__.tag)


def test_the_tables_are_those_of_the_deciders() -> None:
    assert FILE.read_text() == document(), "run `just words`, and look at what changed"


def test_every_command_of_a_plan_has_its_table() -> None:
    every = {tag(command) for commands in SERVICES.values() for command in commands}
    assert {verb.split()[0] for verb in COMMANDS} | NOT_OF_A_PLAN == every


def test_there_is_a_plan_in_every_status_and_each_is_in_it() -> None:
    found = plans()
    assert {status.partition(",")[0] for status in found} == set(get_args(Status))
    assert all(plan.status == status.partition(",")[0] for status, plan in found.items())
    assert len(ROLES) >= 6


@pytest.mark.parametrize("role", ["item owner", "approver", "stranger"])
@pytest.mark.parametrize(
    "verb", ["seal_plan", "submit_plan", "start_plan", "reopen_plan", "cancel_plan", "recheck_gate"]
)
def test_who_neither_owns_nor_administers_moves_no_plan(role: str, verb: str) -> None:
    table = document().split(f"## {verb}\n")[1].split("\n## ")[0]
    column = list(ROLES).index(role) + 2
    cells = {line.split(" | ")[column - 1].removesuffix(" |") for line in table.splitlines() if line.startswith("| `")}
    assert cells == {"*forbidden*"}
