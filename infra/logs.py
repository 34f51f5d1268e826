"""Logging: structlog events as one JSON object per line on stderr, the libraries' own loggers through the same pipe.

Every line has `timestamp` (UTC), `level`, `service`, `event`, and, inside a request, whatever `structlog.contextvars` holds
(`trace_id` and so on). Values under keys that name a secret are masked, however deep they lie: the last guard, not the first.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import msgspec
import structlog

_SECRET_KEY = re.compile(
    r"passw|passphrase|secret|token|authori[sz]ation|cookie|credential|api_?key|private_?key|master_?key|(^|_)dsn$|database_url",
    re.IGNORECASE,
)
_IN_ADDRESS = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s@/]+@", re.IGNORECASE)
"""`scheme://user:password@host`, as libraries print it in their errors."""

MASK = "***"

_QUIET = ("asyncio", "nats", "faststream", "aiohttp", "asyncpg", "urllib3", "docker")
"""Libraries that we let speak from `warning` on only."""


def set_up(service: str, level: str = "info", stream: TextIO | None = None) -> None:
    """Call once, first thing in a process. `level`: debug, info, warning or error."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _named(service),
    ]
    last: list[structlog.typing.Processor] = [
        structlog.processors.format_exc_info,
        mask_secrets,
        structlog.processors.JSONRenderer(serializer=_as_json),
    ]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=stream or sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
        logger.setLevel(max(logging.WARNING, root.level))


def mask_secrets(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: masks values under keys that name a secret, and passwords inside addresses."""
    return {key: _masked(key, value) for key, value in event.items()}


def _masked(key: str, value: Any) -> Any:
    if _SECRET_KEY.search(key) and not isinstance(value, bool | int | float | None):
        return MASK
    if isinstance(value, str):
        return _IN_ADDRESS.sub(rf"\1:{MASK}@", value) if "://" in value else value
    if isinstance(value, Mapping):
        return {inner: _masked(str(inner), part) for inner, part in value.items()}
    if isinstance(value, list | tuple):
        return [_masked("", part) for part in value]
    return value


def _named(service: str) -> structlog.typing.Processor:
    def add(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    return add


def _as_json(event: Any, **_: Any) -> str:
    return msgspec.json.encode(event, enc_hook=_shown).decode()


def _shown(value: object) -> str:
    """Values without a JSON form are shown as text; exceptions may carry an address with a password."""
    return str(_masked("", str(value)))
