"""Under which account the embedded PostgreSQL runs, and which paths that account can reach.

PostgreSQL refuses to run as root. Then it runs as an unprivileged account (`nobody`, or the one that
`GONOGO_SERVER_USER` names). No account is created and no folder outside the data folder is opened for it.
"""

import os
import pwd
import stat
from collections.abc import Mapping
from pathlib import Path

import msgspec

from infra.errors import Misconfigured


class Account(msgspec.Struct, frozen=True):
    """A user of this machine by number, with its primary group."""

    name: str
    uid: int
    gid: int


def server_account(environ: Mapping[str, str]) -> Account | None:
    """The account for PostgreSQL, or None when we are not root and it runs as ourselves."""
    if os.geteuid() != 0:
        return None
    name = environ.get("GONOGO_SERVER_USER") or "nobody"
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise Misconfigured(
            f"PostgreSQL may not run as root and the user {name!r} does not exist; name another in GONOGO_SERVER_USER"
        ) from None
    if entry.pw_uid == 0:
        raise Misconfigured("PostgreSQL may not run as root; name another user in GONOGO_SERVER_USER")
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def reaches(account: Account, path: Path) -> bool:
    """Whether the account may pass every folder on the way to `path`, by the permission bits."""
    return all(_may_enter(account, folder.stat()) for folder in path.resolve().parents)


def _may_enter(account: Account, status: os.stat_result) -> bool:
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)
