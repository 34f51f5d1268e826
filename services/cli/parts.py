"""Which services there are, how each is started, and which of them keeps which projection.

The command line starts services as processes and never imports them.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from infra.embedded.folder import default_folder
from infra.embedded.secrets import SERVICES
from infra.supervise.spec import ServiceSpec

PROJECTIONS: Mapping[str, str] = {
    "plans": "planner",
    "templates": "planner",
    "record": "audit",
    "open_attempts": "executor",
    "attempt_times": "executor",
    "hooks": "hook_dispatcher",
    "delegations": "approval",
    "letter_rounds": "approval",
}
"""Projection -> the service that folds it. A test holds this against the services."""


def command_of(service: str, *arguments: str) -> tuple[str, ...]:
    """The command line of a service, in this very Python."""
    return (sys.executable, "-m", f"services.{service}", *arguments)


def all_services(environ: Mapping[str, str] | None = None) -> list[ServiceSpec]:
    """Every service of a system, each with these additions to its environment."""
    return [ServiceSpec(name, command_of(name), environ or {}) for name in SERVICES]


def folder_of(data: Path | None, environ: Mapping[str, str]) -> Path:
    """The data folder that is meant: the one on the command line, else that of the environment, else the default."""
    return (data or default_folder(environ)).absolute()
