"""What the log refuses before or instead of storing. All of these are bugs or limits, never a passing trouble
(`infra.errors.Unavailable` is that one): the same append will fail again."""


class TooLarge(ValueError):
    """An event, or all events of one command together, exceed what one append may carry."""


class Malformed(ValueError):
    """A field of an append cannot be stored or hashed without ambiguity. The text names the field, not its content."""


class Rejected(Exception):
    """The database refused the whole batch: a foreign event type, a broken rule of the schema, a missing grant.

    `sqlstate` tells which (GN001: the role does not own an event type). Nothing of the batch was stored.
    """

    def __init__(self, sqlstate: str, message: str) -> None:
        super().__init__(f"the log refused the batch ({sqlstate}): {message}")
        self.sqlstate = sqlstate
