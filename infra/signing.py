"""Keys that sign hooks after Standard Webhooks 1.0.0, both kinds: `v1` (HMAC-SHA256) and `v1a` (Ed25519).

A secret's text says which it is: `whsk_<base64>` is the private half of a key pair (32 bytes of seed, or seed and public
half, 64), `whsec_<base64>` or any other text a shared secret. The public half is written `whpk_<base64>`. Refuses to show a
key: printing one gives its kind alone.
"""

import base64
import binascii
import hmac
from collections.abc import Iterable
from typing import Literal

from contracts.webhooks import key_of, signature

PRIVATE_PREFIX = "whsk_"
PUBLIC_PREFIX = "whpk_"
TOLERANCE_SECONDS = 300
"""How far the time of a signed message may be from ours, both ways."""

_SEED_BYTES = 32


class SigningKey:
    """A key that signs. Equal to none but itself."""

    __slots__ = ("_material", "version")

    def __init__(self, version: Literal["v1", "v1a"], material: bytes) -> None:
        self.version = version
        self._material = material

    @classmethod
    def of(cls, secret: str) -> "SigningKey":
        """The key of a secret's text. Raises ValueError, without the secret, for one that cannot sign."""
        if not secret.startswith(PRIVATE_PREFIX):
            return cls("v1", key_of(secret))
        try:
            material = base64.b64decode(secret.removeprefix(PRIVATE_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            material = b""
        if len(material) not in (_SEED_BYTES, 2 * _SEED_BYTES):
            raise ValueError(f"a private key begins with {PRIVATE_PREFIX} and goes on with 32 or 64 bytes in base64")
        return cls("v1a", material[:_SEED_BYTES])

    def __repr__(self) -> str:
        return f"SigningKey({self.version!r})"

    def sign(self, webhook_id: str, timestamp: int, body: bytes) -> str:
        """One entry of `webhook-signature`. `timestamp` in Unix seconds, of this attempt."""
        if self.version == "v1":
            return signature(self._material, webhook_id, timestamp, body)
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # of use once there is one

        signed = Ed25519PrivateKey.from_private_bytes(self._material).sign(_content(webhook_id, timestamp, body))
        return "v1a," + base64.b64encode(signed).decode()

    def public(self) -> str:
        """The public half of a pair; empty for a shared secret."""
        if self.version == "v1":
            return ""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        half = Ed25519PrivateKey.from_private_bytes(self._material).public_key().public_bytes_raw()
        return PUBLIC_PREFIX + base64.b64encode(half).decode()


def new_private_key() -> str:
    """The text of a fresh Ed25519 private key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return PRIVATE_PREFIX + base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode()


def signatures(keys: Iterable[SigningKey], webhook_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: one entry per key, parted by spaces, so that either key of a rotation verifies."""
    return " ".join(key.sign(webhook_id, timestamp, body) for key in keys)


def signed_by(keys: Iterable[SigningKey], webhook_id: str, timestamp: int, body: bytes, header: str) -> bool:
    """Whether one of these shared secrets made an entry of this header. The time is the caller's to check."""
    given = [entry for entry in header.split(" ") if entry.isascii()]
    made = [key.sign(webhook_id, timestamp, body) for key in keys if key.version == "v1"]
    return any(hmac.compare_digest(one, entry) for one in made for entry in given)


def verify_with_public_key(public_key: str, webhook_id: str, timestamp: int, body: bytes, header: str) -> bool:
    """Whether a `v1a` entry of this header verifies under `whpk_...`. Raises ValueError for a key that is none."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        half = base64.b64decode(public_key.removeprefix(PUBLIC_PREFIX), validate=True)
        key = Ed25519PublicKey.from_public_bytes(half)
    except (binascii.Error, ValueError):
        raise ValueError(f"a public key begins with {PUBLIC_PREFIX} and goes on with 32 bytes in base64") from None
    for entry in header.split(" "):
        version, _, text = entry.partition(",")
        if version != "v1a":
            continue
        try:
            key.verify(base64.b64decode(text, validate=True), _content(webhook_id, timestamp, body))
        except (InvalidSignature, binascii.Error, ValueError):
            continue
        return True
    return False


def _content(webhook_id: str, timestamp: int, body: bytes) -> bytes:
    return f"{webhook_id}.{timestamp}.".encode() + body
