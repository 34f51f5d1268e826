"""Where the gateway is and who we are, from the environment. A token never stands on the command line."""

import os
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from infra.config import Secret, load
from infra.errors import Misconfigured
from services.cli.problems import usage


class ClientSettings(Struct, frozen=True, kw_only=True):
    """The settings of a command that talks to a gateway."""

    url: Annotated[str, Meta(description="Address of the gateway, for the command line.")] = "http://127.0.0.1:8640"
    token: Annotated[Secret, Meta(description="Token with which the command line asks.")] = Secret("")


def client_settings(environ: Mapping[str, str] = os.environ) -> ClientSettings:
    """The settings, or a `Problem` that says which variable is wrong."""
    try:
        settings = load(ClientSettings, environ)
    except Misconfigured as fault:
        raise usage(f"A setting is wrong: {fault}.") from None
    parts = urlsplit(settings.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise usage("GONOGO_URL must read http://HOST:PORT or https://HOST:PORT.")
    if parts.username or parts.password:
        raise usage("GONOGO_URL must not hold a user or a password; give a token in GONOGO_TOKEN.")
    return settings
