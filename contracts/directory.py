"""What administrators change about who may come in: people's rights, tokens, and which secrets there are.

The directory and the key store stand outside the log, so that names, addresses, labels and secrets can be forgotten. That
somebody became an administrator, or a member of a group that approves, is a fact about every plan after it and stays. Never
here: a name, an address, a token, the value of a secret.
"""

from contracts.plan_events import Event


class Rights(Event, frozen=True, gc=False):
    """What somebody may do. One who is not active is let in no more."""

    groups: tuple[str, ...] = ()
    administrator: bool = False
    active: bool = True


class UserPut(Event, frozen=True, gc=False):
    """This user (`user:ben`) has exactly these rights from now on. `before`: what they had; `None` for somebody new."""

    user: str
    rights: Rights
    before: Rights | None = None


class TokenCreated(Event, frozen=True, gc=False):
    """A token that stands for this user, by its id. `expires_at` in Unix microseconds, 0 for never."""

    token: str
    user: str
    expires_at: int = 0


class TokenRevoked(Event, frozen=True, gc=False):
    """The token stands for nobody any more."""

    token: str


class SecretPut(Event, frozen=True, gc=False):
    """The key store has a value under this name, instead of an earlier one."""

    name: str


EVENTS: dict[str, type[Event]] = {
    "user.put.v1": UserPut,
    "token.created.v1": TokenCreated,
    "token.revoked.v1": TokenRevoked,
    "secret.put.v1": SecretPut,
}
OWNERS: dict[str, tuple[str, ...]] = {"gateway": tuple(EVENTS)}
