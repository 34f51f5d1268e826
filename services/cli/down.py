"""`gonogo down`: stops a system that was started elsewhere on this machine, and returns when nothing of it is left."""

import os
import signal
import sys
import time
from pathlib import Path

from infra.embedded.folder import holder_of
from services.cli.exits import Exit
from services.cli.output import NoticePrinter
from services.cli.parts import folder_of
from services.cli.problems import Problem

_PATIENCE_SECONDS = 60.0
_LOOK_SECONDS = 0.1


def down(*, data: Path | None = None) -> int:
    """Stops the system that runs on a data folder, as Ctrl-C would. Nothing running is no fault.

    Parameters
    ----------
    data
        The data folder. Default: GONOGO_DATA, else .gonogo here.
    """
    folder = folder_of(data, os.environ)
    notice = NoticePrinter(sys.stderr)
    owner = holder_of(folder)
    if owner is None:
        notice(f"nothing runs on {folder}")
        return Exit.OK
    os.kill(owner, signal.SIGTERM)
    notice(f"asked process {owner} to stop")
    ends = time.monotonic() + _PATIENCE_SECONDS
    while holder_of(folder) == owner:
        if time.monotonic() > ends:
            raise Problem(f"Process {owner} still runs after {_PATIENCE_SECONDS:g} s.", Exit.FAULT)
        time.sleep(_LOOK_SECONDS)
    notice("stopped")
    return Exit.OK
