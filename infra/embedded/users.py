"""Who may say what on NATS: three accounts, so that the stream of events has one writer in fact and not only on paper.

A permission to publish does not look at the *reply* subject of a message. Whoever may call the stream's API at all could
name an event subject as the place for the answer, the server itself would write that answer into the stream, and sequence
would never again equal position (seen on 2.15.1). Between accounts the server replaces reply subjects, so:

* EVENTS holds the stream and the relay, nobody else;
* SERVICES holds commands and their answers, and what gateways tell each other; it hears `gonogo.v1.wake` from EVENTS and
  nothing else. A command says in whose name it comes, so only the gateway, who knows, may give one; each of the others
  hears its own commands alone, and nobody hears the answers but who asked;
* OBSERVERS holds other teams; they see events, and reach the reading half of the stream's API under `OBSERVER_API`
  (`connection.jetstream(prefix=OBSERVER_API)`), by pull consumers or by direct get.
"""

from collections.abc import Mapping

from contracts.subjects import COMMANDS, EVENTS, PRESENCE, STREAM, WAKE, command_subject
from infra.embedded.secrets import SERVICES

RELAY = "relay"
GATEWAY = "gateway"
OBSERVER = "observer"
OBSERVER_API = "gonogo.v1.js"
NATS_USERS = (*SERVICES, OBSERVER)

_API = "$JS.API"
_INBOX = "_INBOX.>"

_READING = (
    "STREAM.NAMES",
    f"STREAM.INFO.{STREAM}",
    f"STREAM.MSG.GET.{STREAM}",
    f"CONSUMER.CREATE.{STREAM}",
    f"CONSUMER.CREATE.{STREAM}.>",
    f"CONSUMER.DURABLE.CREATE.{STREAM}.>",
    f"CONSUMER.DELETE.{STREAM}.>",
    f"CONSUMER.INFO.{STREAM}.>",
    f"CONSUMER.NAMES.{STREAM}",
    f"CONSUMER.LIST.{STREAM}",
)

_READING_MANY = (f"CONSUMER.MSG.NEXT.{STREAM}.>", f"DIRECT.GET.{STREAM}", f"DIRECT.GET.{STREAM}.>")
"""Calls that are answered by more than one message."""

# Both forms of the subject (ADR-15): which one the server uses depends on its version and flags.
_ACKNOWLEDGEMENTS = (f"$JS.ACK.{STREAM}.>", f"$JS.ACK.*.*.{STREAM}.>")


def accounts(passwords: Mapping[str, str]) -> dict[str, object]:
    """The `accounts` block of the server. Nobody gets in without a password."""
    gateway = _user(GATEWAY, passwords, [COMMANDS, PRESENCE], [WAKE, _INBOX, PRESENCE])
    others = [
        _user(name, passwords, [_INBOX], [command_subject(name), WAKE])
        for name in SERVICES
        if name not in (RELAY, GATEWAY)
    ]
    relay = _user(
        RELAY, passwords, [EVENTS, WAKE, f"{_API}.>", "$JS.ACK.>", "$JS.FC.>", _INBOX], [EVENTS, WAKE, _INBOX]
    )
    observer = _user(OBSERVER, passwords, [f"{OBSERVER_API}.>", *_ACKNOWLEDGEMENTS], [EVENTS, _INBOX])
    return {
        "EVENTS": {"jetstream": "enabled", "users": [relay], "exports": _exports()},
        "SERVICES": {"users": [gateway, *others], "imports": [_stream(WAKE)]},
        "OBSERVERS": {"users": [observer], "imports": _imports()},
    }


def _exports() -> list[dict[str, object]]:
    one: list[dict[str, object]] = [{"service": f"{_API}.{call}"} for call in _READING]
    one += [{"service": subject} for subject in _ACKNOWLEDGEMENTS]
    many: list[dict[str, object]]
    many = [{"service": f"{_API}.{call}", "response_type": "stream"} for call in _READING_MANY]
    return [{"stream": EVENTS}, {"stream": WAKE}, *one, *many]


def _imports() -> list[dict[str, object]]:
    # Under a prefix of its own, since every account has a `$JS.API` that would answer as well.
    api = [_service(f"{_API}.{call}") | {"to": f"{OBSERVER_API}.{call}"} for call in (*_READING, *_READING_MANY)]
    return [_stream(EVENTS), *api, *map(_service, _ACKNOWLEDGEMENTS)]


def _service(subject: str) -> dict[str, object]:
    return {"service": {"account": "EVENTS", "subject": subject}}


def _stream(subject: str) -> dict[str, object]:
    return {"stream": {"account": "EVENTS", "subject": subject}}


def _user(name: str, passwords: Mapping[str, str], publish: list[str], subscribe: list[str]) -> dict[str, object]:
    permissions = {"publish": {"allow": publish}, "subscribe": {"allow": subscribe}}
    return {"user": name, "password": passwords[name], "permissions": permissions}
