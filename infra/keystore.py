"""Secrets that the system uses on people's behalf, sealed at rest: signing secrets of hooks, credentials of steps.

Each is sealed with AES-256-GCM (12 random bytes of nonce; name and key id authenticated) under a master key that comes
from a file and never reaches the database. Deleting an entry shreds the secret. It refuses to show a secret: values go
in and come out as `Secret`.
"""

import base64
import binascii
import hashlib
import os
import secrets
from typing import TYPE_CHECKING

import asyncpg

from infra.clock import Clock, SystemClock
from infra.config import Secret
from infra.errors import Misconfigured, Unavailable
from infra.postgres import load_sql
from infra.tail import database_away

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_KEY_BYTES = 32
_NONCE_BYTES = 12


def new_master_key() -> str:
    """The text for a new master key file: 32 random bytes as base64."""
    return base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def master_key_of(text: Secret) -> bytes:
    """The master key of its file's text (32 bytes as base64 or 64 hex digits). Raises Misconfigured, without the text."""
    plain = text.reveal().strip()
    try:
        key = bytes.fromhex(plain) if len(plain) == 2 * _KEY_BYTES else base64.b64decode(plain, validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != _KEY_BYTES:
        raise Misconfigured("The master key must be 32 bytes, written as base64 or as 64 hex digits.")
    return key


class KeyStore:
    """The sealed secrets by name. Every method raises Unavailable when the database does not answer."""

    def __init__(self, pool: asyncpg.Pool, master_key: bytes, *, clock: Clock | None = None) -> None:
        self._pool = pool
        self._master_key = master_key
        self._key_id = hashlib.sha256(b"gonogo master key id" + master_key).hexdigest()[:12]
        self._clock = clock or SystemClock()
        self._put = load_sql("infra", "keystore_put")
        self._get = load_sql("infra", "keystore_get")
        self._delete = load_sql("infra", "keystore_delete")

    def __repr__(self) -> str:
        return f"KeyStore(key_id={self._key_id!r})"

    async def put(self, name: str, value: Secret) -> None:
        """Keeps the secret under this name, instead of an earlier one."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._cipher().encrypt(nonce, value.reveal().encode(), self._bound_to(name))
        try:
            await self._pool.execute(self._put, name, self._key_id, nonce, sealed, self._clock.now())
        except Exception as error:
            raise _told(error) from error

    async def get(self, name: str) -> Secret | None:
        """The secret of this name, `None` when there is none.

        Raises Misconfigured when it was sealed under another master key or is not what was sealed.
        """
        try:
            row = await self._pool.fetchrow(self._get, name)
        except Exception as error:
            raise _told(error) from error
        if row is None:
            return None
        if row["key_id"] != self._key_id:
            raise Misconfigured(f"The secret {name!r} was sealed under another master key ({row['key_id']}).")
        from cryptography.exceptions import InvalidTag

        try:
            return Secret(self._cipher().decrypt(row["nonce"], row["sealed"], self._bound_to(name)).decode())
        except InvalidTag:
            raise Misconfigured(f"The secret {name!r} is not what was sealed; put it again.") from None

    async def delete(self, name: str) -> bool:
        """Shreds the secret; False when there was none."""
        try:
            return bool(await self._pool.execute(self._delete, name) != "DELETE 0")
        except Exception as error:
            raise _told(error) from error

    def _cipher(self) -> "AESGCM":
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # 6 MB, of use once there is a secret

        return AESGCM(self._master_key)

    def _bound_to(self, name: str) -> bytes:
        return f"{self._key_id}\x00{name}".encode()


def _told(error: Exception) -> Exception:
    return Unavailable("the database") if database_away(error) else error
