"""The people that a fresh system starts with, and their tokens, in `<data>/secrets/tokens.json` (readable by us alone).

They are made once: a second start shows the same tokens, and changes nobody whom an administrator has changed since.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from infra.embedded.secrets import write_private
from infra.identity import Identities
from infra.postgres import open_pool


class Person(msgspec.Struct, frozen=True):
    """Somebody whom a fresh system knows."""

    id: str
    name: str
    part: str
    groups: tuple[str, ...] = ()
    administrator: bool = False


PEOPLE = (
    Person("olivia", "Olivia Owner", "owner", ("release",)),
    Person("ana", "Ana Approver", "approver", ("approvers",)),
    Person("ben", "Ben Approver", "approver", ("approvers",)),
    Person("ada", "Ada Administrator", "administrator", (), administrator=True),
)


async def ready_tokens(dsn: str, secrets_folder: Path) -> dict[str, str]:
    """Token by person. `dsn` is the gateway's, whose role keeps the identities."""
    file = secrets_folder / "tokens.json"
    kept = _kept(file)
    pool = await open_pool(dsn, size=1, name="gonogo up")
    try:
        identities = Identities(pool)
        tokens = {person.id: await _token(identities, person, kept.get(person.id, "")) for person in PEOPLE}
    finally:
        await pool.close()
    if tokens != kept:
        write_private(file, msgspec.json.format(msgspec.json.encode(tokens)))
    return tokens


async def _token(identities: Identities, person: Person, kept: str) -> str:
    """The kept token while it stands for this person, else a new one: the database may be another than before."""
    actor = await identities.authenticate(kept) if kept else None
    if actor is not None and actor.id == f"user:{person.id}":
        return kept
    if await identities.user(person.id) is None:
        await identities.put_user(person.id, name=person.name, groups=person.groups, administrator=person.administrator)
    return (await identities.create_token(person.id, "made by gonogo up"))[1].reveal()


def _kept(file: Path) -> Mapping[str, str]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, str])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}
