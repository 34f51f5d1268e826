"""Signatures of hooks by Standard Webhooks 1.0.0 (https://www.standardwebhooks.com), version `v1`: HMAC-SHA256.

What is signed is `<webhook-id>.<webhook-timestamp>.<body>`, so neither can be exchanged and an old hook cannot be sent
again later. Sender and receiver share these functions; anybody's library for the scheme reads them as well.
"""

import base64
import binascii
import hashlib
import hmac

PREFIX = "whsec_"


def key_of(secret: str) -> bytes:
    """The key of a signing secret: `whsec_<base64>` as the scheme has it, any other text as its UTF-8 bytes.

    Raises ValueError, without the secret, when what follows `whsec_` is no base64 or is empty.
    """
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise ValueError(f"a signing secret that begins with {PREFIX} must go on in base64")
    return key


def signature(key: bytes, webhook_id: str, timestamp: int, body: bytes) -> str:
    """The value of the header `webhook-signature`. `timestamp` in Unix seconds, of this attempt."""
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
