"""What the hook dispatcher is asked for besides the first orders: proofs of who answers, and the orders on endpoints."""

from typing import Annotated

import msgspec
from msgspec import Meta

from contracts.command import Command, PlanId
from contracts.values import ShortText


class Proof(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The signature of a callback that brings no token, after Standard Webhooks 1.0.0, with the secret of an endpoint.

    The endpoint is named (`endpoint`), or it is the one that the hook `webhook_id` went to. `body` are the signed bytes.
    """

    webhook_id: str
    timestamp: str
    signature: str
    body: bytes
    endpoint: str = ""

    def __repr__(self) -> str:
        return f"Proof(webhook_id={self.webhook_id!r}, endpoint={self.endpoint!r})"


class RotateEndpoint(Command, frozen=True, tag="rotate_endpoint"):
    """A new signing secret; for `overlap_seconds` hooks are signed with the one before as well."""

    endpoint: PlanId
    secret_ref: str
    overlap_seconds: Annotated[int, Meta(ge=0, le=2_592_000)] = 86_400
    public_key: str = ""


class EnableEndpoint(Command, frozen=True, tag="enable_endpoint"):
    """Switch it on. One that has to be verified and is not gets a new challenge. `reason` as a person says it."""

    endpoint: PlanId
    reason: ShortText = ""


class DisableEndpoint(Command, frozen=True, tag="disable_endpoint"):
    endpoint: PlanId
    reason: ShortText = ""


class SendTest(Command, frozen=True, tag="test_endpoint"):
    """Send a test there: a delivery like any other."""

    endpoint: PlanId


class ShowHook(Command, frozen=True, tag="show_hook"):
    """A question, not an order: the hook of this delivery as it goes out. Nothing is appended."""

    delivery: PlanId


HookCommand = RotateEndpoint | EnableEndpoint | DisableEndpoint | SendTest | ShowHook
HOOKS: tuple[type[Command], ...] = (RotateEndpoint, EnableEndpoint, DisableEndpoint, SendTest, ShowHook)
