"""Who may say what on NATS. The bus mirrors the log only while nobody but the relay can speak on its event subjects."""

from collections.abc import Mapping

from contracts.subjects import COMMANDS, EVENTS, STREAM, WAKE
from infra.embedded.secrets import SERVICES

RELAY = "relay"
OBSERVER = "observer"
"""The read-only user for other teams."""

NATS_USERS = (*SERVICES, OBSERVER)

_INBOX = "_INBOX.>"

_READING = (
    f"$JS.API.STREAM.INFO.{STREAM}",
    f"$JS.API.STREAM.MSG.GET.{STREAM}",
    f"$JS.API.DIRECT.GET.{STREAM}",
    f"$JS.API.DIRECT.GET.{STREAM}.>",
    f"$JS.API.CONSUMER.CREATE.{STREAM}",
    f"$JS.API.CONSUMER.CREATE.{STREAM}.>",
    f"$JS.API.CONSUMER.DURABLE.CREATE.{STREAM}.>",
    f"$JS.API.CONSUMER.DELETE.{STREAM}.>",
    f"$JS.API.CONSUMER.INFO.{STREAM}.>",
    f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.>",
    f"$JS.API.CONSUMER.NAMES.{STREAM}",
    f"$JS.API.CONSUMER.LIST.{STREAM}",
    "$JS.API.STREAM.NAMES",
    "$JS.API.INFO",
    # Both forms of the acknowledgement subject (ADR-15): which one the server uses depends on its version and flags.
    f"$JS.ACK.{STREAM}.>",
    f"$JS.ACK.*.*.{STREAM}.>",
    "$JS.FC.>",
)


def authorization(passwords: Mapping[str, str]) -> dict[str, object]:
    """The `authorization` block of the server: nobody without a password, everybody with what they need."""
    return {
        "users": [{"user": user, "password": passwords[user], "permissions": _permissions(user)} for user in NATS_USERS]
    }


def _permissions(user: str) -> dict[str, object]:
    if user == RELAY:
        return {
            "publish": {"allow": [EVENTS, WAKE, "$JS.API.>", "$JS.ACK.>", _INBOX]},
            "subscribe": {"allow": ["gonogo.v1.>", "$JS.EVENT.>", _INBOX]},
        }
    if user == OBSERVER:
        private = f"_INBOX_{OBSERVER}.>"
        return {"publish": {"allow": list(_READING)}, "subscribe": {"allow": [EVENTS, private]}}
    return {
        "publish": {"allow": [COMMANDS, _INBOX, *_READING]},
        "subscribe": {"allow": ["gonogo.v1.>", _INBOX]},
    }
