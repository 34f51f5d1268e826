"""What every body of the HTTP interface is: one that is sent to us, or one that we send."""

import msgspec


class Read(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A body that is sent to us."""


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """A body that we send."""
