"""Finding out about people: the directory, and the one stream that says which identities are one person."""

from collections.abc import Iterable
from typing import Protocol

from contracts.people import PEOPLE_STREAM
from contracts.people_state import People
from infra.commands import Desk
from infra.identity import User


class Directory(Protocol):
    """Who exists, in which groups. `infra.identity.Identities` has it."""

    async def existing(self, refs: Iterable[str]) -> set[str]: ...
    async def members(self, groups: Iterable[str]) -> dict[str, frozenset[str]]: ...
    async def user(self, id: str) -> User | None: ...


class Links:
    """Which identities are one person, now."""

    def __init__(self, desk: Desk[People]) -> None:
        self.desk = desk

    async def read(self) -> People:
        return await self.desk.read(PEOPLE_STREAM) or People()
