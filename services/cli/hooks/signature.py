"""Checks and makes signatures of hooks by Standard Webhooks 1.0.0 (https://www.standardwebhooks.com).

Signed is `<webhook-id>.<webhook-timestamp>.<body>`: as `v1` by HMAC-SHA256 with a secret (`whsec_<base64>`, any other text
is its own bytes), as `v1a` by Ed25519, checked with `whpk_<base64>` and made with `whsk_<base64>`. It refuses a hook that is
older or newer than five minutes, so that an overheard one is of no use. Reasons never hold a secret.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence

TOLERANCE_SECONDS = 300

Check = Callable[[bytes, bytes], bool]
"""Whether this is the signature of what was signed."""


def signature_fault(
    secrets: str | Sequence[str], headers: Mapping[str, str], body: bytes, now_seconds: float
) -> str | None:
    """Why this hook is not to be believed; None when it is genuine. Any of several secrets will do, as in a rotation.

    Raises ValueError for a secret that is none.
    """
    checks = [_check_of(secret) for secret in ([secrets] if isinstance(secrets, str) else secrets)]
    identity = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not identity or not (timestamp.isascii() and timestamp.isdigit()):
        return "webhook-id or webhook-timestamp is missing"
    if len(timestamp) > 12 or abs(now_seconds - int(timestamp)) > TOLERANCE_SECONDS:
        return "the timestamp is not of now"
    signed = f"{identity}.{timestamp}.".encode() + body
    given = [one.partition(",") for one in headers.get("webhook-signature", "").split()]
    if not given:
        return "it is not signed"
    fits = any(
        version == wanted and check(signed, _decoded(text)) for version, _, text in given for wanted, check in checks
    )
    return None if fits else "no signature fits"


def signature_of(secret: str, identity: str, timestamp: int, body: bytes) -> str:
    """A value for the header `webhook-signature`. Raises ValueError for a secret that cannot sign."""
    signed = f"{identity}.{timestamp}.".encode() + body
    if secret.startswith("whpk_"):
        raise ValueError("whpk_ is a public key, which cannot sign; take the private one, whsk_")
    if secret.startswith("whsk_"):
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        seed = _key(secret, "whsk_")[:32]  # the scheme's libraries write the seed, or seed and public key
        return "v1a," + base64.b64encode(Ed25519PrivateKey.from_private_bytes(seed).sign(signed)).decode()
    key = _key(secret, "whsec_")
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _check_of(secret: str) -> tuple[str, Check]:
    """The version of the signatures that this secret checks, and the check."""
    if secret.startswith("whsk_"):
        raise ValueError("whsk_ is a private key, which only the sender may have; take the public one, whpk_")
    if not secret.startswith("whpk_"):
        key = _key(secret, "whsec_")
        return "v1", lambda signed, given: hmac.compare_digest(given, hmac.new(key, signed, hashlib.sha256).digest())
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        public = Ed25519PublicKey.from_public_bytes(_key(secret, "whpk_"))
    except ValueError:
        raise ValueError("what follows whpk_ is no Ed25519 key") from None

    def check(signed: bytes, given: bytes) -> bool:
        try:
            public.verify(given, signed)
        except InvalidSignature:
            return False
        return True

    return "v1a", check


def _key(secret: str, prefix: str) -> bytes:
    if not secret.startswith(prefix):
        return secret.encode()
    key = _decoded(secret.removeprefix(prefix))
    if not key:
        raise ValueError(f"what follows {prefix} is no base64")
    return key


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
