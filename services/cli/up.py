"""`gonogo up`: the whole system in the foreground, on one folder, until Ctrl-C. A thin caller of `infra.supervise`."""

import asyncio
import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from infra.supervise import System, run
from services.cli.output import Output
from services.cli.parts import all_services, folder_of
from services.cli.starting import Starting
from services.cli.tokens import PEOPLE, ready_tokens

Port = Annotated[int, Parameter(validator=validators.Number(gte=0, lte=65_535))]


def up(*, data: Path | None = None, port: Port | None = None) -> int:
    """Starts the whole system here: real PostgreSQL, real NATS, the seven services. Ctrl-C stops all of it.

    Parameters
    ----------
    data
        The folder that holds everything. Default: GONOGO_DATA, else .gonogo here.
    port
        Where the gateway listens, on 127.0.0.1; 0 takes a free one. Default: GONOGO_HTTP_PORT, else 8640.
    """
    folder = folder_of(data, os.environ)
    starting = Starting(sys.stderr)
    starting.begin(f"starting, with everything in {folder}")

    async def ready(system: System) -> None:
        tokens = await ready_tokens(system.env_for("gateway")["GONOGO_DATABASE_URL"], folder / "secrets")
        starting.end()
        _tell(system.urls["gateway"], tokens, folder)

    try:
        return asyncio.run(run(folder, all_services(), http_port=port, report=starting, on_ready=ready))
    finally:
        starting.end()


def _tell(url: str, tokens: dict[str, str], folder: Path) -> None:
    """The address and the tokens are data; how to use them is said beside."""
    output = Output(as_json=False)
    rows = [(person.id, person.part, tokens[person.id]) for person in PEOPLE]
    output.pairs({"Address": url, "Data": str(folder), "Logs": str(folder / "logs")})
    output.table(("user", "part", "token"), rows)
    program = "gonogo" if shutil.which("gonogo") else Path(sys.executable).with_name("gonogo")
    output.note(
        f"\nexport GONOGO_URL={url} GONOGO_TOKEN=<one of these tokens>, then: {program} plan list\nCtrl-C stops."
    )
