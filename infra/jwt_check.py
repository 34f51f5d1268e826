"""Bearer tokens that somebody else signed: JWT, checked by joserfc against configured keys.

Algorithms are a list of ours, never the token's choice; issuer, audience and expiry are demanded. It says who the
issuer names and which groups it claims; whether that person may come in is `infra.identity`'s business. It refuses to
say why a token was not accepted: the reason is logged, the asker hears "no".
"""

import asyncio
import json
import time
import urllib.request
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError, SecurityWarning
from joserfc.jwk import Key, KeySet, OctKey, import_key

from infra.errors import Misconfigured
from infra.jwt import Claimed, JwtSettings

log = structlog.get_logger(__name__)

_LARGEST_BYTES = 16 * 1024
_FRESH_SECONDS = 300.0  # keys from an address are read again after this
_AGAIN_SECONDS = 30.0  # and at most this often for a key id that they do not have
_FETCH_SECONDS = 5.0


class JwtCheck:
    """Checks tokens of one issuer. Raises Misconfigured at once when key text or algorithms make no sense."""

    def __init__(self, settings: JwtSettings, now_seconds: Callable[[], int]) -> None:
        self._settings = settings
        self._now = now_seconds
        self._address = _address(settings.keys.reveal())
        self._keys: Key | KeySet | None = None if self._address else _keys_from(settings)
        self._fetched_at = 0.0
        self._fetching = asyncio.Lock()

    async def claims(self, token: str) -> Claimed | None:
        """What the token says, or `None` when it is not to be believed."""
        if len(token) > _LARGEST_BYTES:
            return None
        try:
            try:
                return self._decoded(token, await self._known())
            except InvalidKeyIdError:
                return self._decoded(token, await self._current(_AGAIN_SECONDS))
        except (JoseError, ValueError, TypeError) as error:
            log.info("jwt_refused", reason=type(error).__name__)
        except OSError as error:
            log.warning("jwt_keys_unreachable", address=self._address, error=type(error).__name__)
        return None

    def _decoded(self, token: str, keys: Key | KeySet) -> Claimed:
        settings = self._settings
        claims = jwt.decode(token, keys, algorithms=list(settings.algorithms)).claims
        jwt.JWTClaimsRegistry(
            now=self._now,
            leeway=settings.leeway_seconds,
            iss={"essential": True, "value": settings.issuer},
            aud={"essential": True, "value": settings.audience},
            exp={"essential": True},
            sub={"essential": True},
        ).validate(claims)
        return Claimed(claims["sub"], _groups(claims, settings.groups_claim), int(claims["exp"]))

    async def _known(self) -> Key | KeySet:
        """The keys that we have. Where they are old, one asks for new ones, and nobody else waits for the answer."""
        if self._keys is not None and (self._address is None or self._fetching.locked()):
            return self._keys
        return await self._current(_FRESH_SECONDS)

    async def _current(self, older_than_seconds: float) -> Key | KeySet:
        if self._address is None:
            assert self._keys is not None
            return self._keys
        async with self._fetching:
            if self._keys is None or time.monotonic() - self._fetched_at > older_than_seconds:
                self._keys = await self._fetched(self._address)
                self._fetched_at = time.monotonic()
            return self._keys

    async def _fetched(self, address: str) -> Key | KeySet:
        try:
            return _key_set(await asyncio.to_thread(_fetch, address))
        except (OSError, ValueError, JoseError):
            if self._keys is None:
                raise
            log.warning("jwt_keys_kept", address=address)  # old keys are better than locking everybody out
            return self._keys


def _groups(claims: dict[str, Any], name: str | None) -> tuple[str, ...] | None:
    if name is None:
        return None
    found = claims.get(name, ())
    return tuple(group for group in found if isinstance(group, str)) if isinstance(found, list) else ()


def _address(keys: str) -> str | None:
    if urlsplit(keys).scheme not in ("https", "http"):
        return None
    host = urlsplit(keys).hostname
    if not keys.startswith("https://") and host not in ("127.0.0.1", "::1", "localhost"):
        raise Misconfigured("The JWKS address must begin with https://, or anyone on the way could become anybody.")
    return keys


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Followed to https alone, for the reason that `_address` gives."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if not newurl.startswith("https://"):
            raise OSError("the address of the JWKS leads to one that does not begin with https://")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetch(address: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Redirects())
    with opener.open(address, timeout=_FETCH_SECONDS) as answer:
        return str(answer.read(1 << 20), "utf-8")


def _keys_from(settings: JwtSettings) -> Key | KeySet:
    text = settings.keys.reveal()
    if not text.lstrip().startswith(("{", "-----")) and Path(text).is_absolute():
        try:
            text = Path(text).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise Misconfigured("The file of JWT keys cannot be read.") from None
    shared = any(name.startswith("HS") for name in settings.algorithms)
    if shared and not all(name.startswith("HS") for name in settings.algorithms):
        raise Misconfigured("JWT algorithms with a shared secret (HS...) cannot be mixed with public-key ones.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", SecurityWarning)  # short keys are refused, not warned of
            if shared:
                return _shared(text)
            return _public(text)
    except (JoseError, ValueError, TypeError, SecurityWarning):
        raise Misconfigured("The JWT keys are neither a PEM public key nor a JWKS, or they are too short.") from None


def _shared(text: str) -> OctKey:
    if len(text.encode()) < 32:
        raise ValueError("a shared secret needs at least 32 bytes")
    return OctKey.import_key(text)


def _public(text: str) -> Key | KeySet:
    if text.lstrip().startswith("{"):
        return _key_set(text)
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    kind = load_pem_public_key(text.encode())
    if isinstance(kind, rsa.RSAPublicKey):
        return import_key(text, "RSA")
    return import_key(text, "EC" if isinstance(kind, ec.EllipticCurvePublicKey) else "OKP")


def _key_set(text: str) -> KeySet:
    value = json.loads(text)
    if not isinstance(value, dict) or "keys" not in value:
        raise ValueError("not a JWKS")
    return KeySet.import_key_set({"keys": value["keys"]})
