"""`python -m infra.deploy.provision secrets|migrate|administrator`: what happens once before the services of a cluster start.

`secrets` makes, in a folder that only the containers share, every password, the NATS configuration and the key-store key;
what is there already is kept. `migrate` brings the database up to date. `administrator` makes a first administrator and
prints a token for it, once. All of it may be said again.
"""

import asyncio
import os
import secrets as random
import sys
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
import msgspec

from infra.embedded.secrets import SERVICES, passwords, write_private
from infra.embedded.users import NATS_USERS, accounts
from infra.errors import Misconfigured
from infra.identity import Identities
from infra.limits import MESSAGE_BYTES
from infra.migrate import migrate
from infra.postgres import open_pool

USAGE = "usage: python -m infra.deploy.provision secrets|migrate|administrator FOLDER DATABASE_URL"


def make_secrets(folder: Path, database_url: str) -> None:
    """Write the folder: `database/<service>.url`, `nats/<service>`, `nats/server.json`, `postgres`, `master.key`.

    `database_url` is the superuser's address without a password.
    """
    for place in ("database", "nats"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    if not (folder / "postgres").exists():
        write_private(folder / "postgres", random.token_urlsafe(24).encode())
    if not (folder / "master.key").exists():
        write_private(folder / "master.key", f"{random.token_bytes(32).hex()}\n".encode())
    for service, password in passwords(folder / "database.json", SERVICES).items():
        url = _with_user(database_url, f"gonogo_{service}", password)
        write_private(folder / "database" / f"{service}.url", url.encode())
    users = passwords(folder / "nats.json", NATS_USERS)
    for user, password in users.items():
        write_private(folder / "nats" / user, password.encode())
    server = {
        "listen": "0.0.0.0:4222",
        "jetstream": {"store_dir": "/data"},
        "max_payload": MESSAGE_BYTES,
        "accounts": accounts(users),
    }
    write_private(folder / "nats" / "server.json", msgspec.json.format(msgspec.json.encode(server)))


async def migrate_database(folder: Path, database_url: str) -> int:
    """Bring the database up to date; how many migrations were applied."""
    return await migrate(_admin_url(folder, database_url), passwords(folder / "database.json", SERVICES))


async def make_administrator(folder: Path, database_url: str) -> str:
    """A token of the user `admin`, who is an administrator. It is shown once and stored hashed."""
    pool = await open_pool(_admin_url(folder, database_url), size=1)
    try:
        identities = Identities(pool)
        await identities.put_user("admin", name="Administrator", administrator=True)
        _, token = await identities.create_token("admin", "first administrator")
        return token.reveal()
    finally:
        await pool.close()


def _admin_url(folder: Path, database_url: str) -> str:
    user = urlsplit(database_url).username or "postgres"
    return _with_user(database_url, user, (folder / "postgres").read_text().strip())


def _with_user(url: str, user: str, password: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(user)}:{quote(password, safe='')}@{host}"))


def main(argv: list[str]) -> int:
    """The exit code: 0 done, 1 not done, 2 asked wrongly. Data on stdout, a sentence on stderr."""
    if len(argv) != 3 or argv[0] not in {"secrets", "migrate", "administrator"}:
        print(USAGE, file=sys.stderr)  # noqa: T201 - a command
        return 2
    verb, folder, url = argv[0], Path(argv[1]), argv[2]
    try:
        match verb:
            case "secrets":
                make_secrets(folder, url)
            case "migrate":
                asyncio.run(migrate_database(folder, url))
            case _:
                print(asyncio.run(make_administrator(folder, url)))  # noqa: T201 - the token is the output
    except (Misconfigured, OSError, asyncpg.PostgresError) as fault:
        print(f"{verb}: {fault}", file=sys.stderr)  # noqa: T201 - a command
        return 1
    return 0


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main(sys.argv[1:]))
