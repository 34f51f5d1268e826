"""What a command is: an order. It says what, never who or when; the request that carries it says that."""

from typing import Annotated

import msgspec
from msgspec import Meta

PlanId = Annotated[str, Meta(pattern=r"^[0-9a-f]{24}$(?!\n)", title="an id: 24 digits out of 0-9 and a-f")]
Sealed = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)", title="a seal: 64 digits out of 0-9 and a-f")]


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="verb", tag=True):
    """An order. Tags are written by hand on each subclass."""
