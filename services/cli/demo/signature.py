"""Checks the signature of a hook by the Standard Webhooks scheme (https://www.standardwebhooks.com), version `v1`.

HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<body>`; a secret `whsec_<base64>` is the key in base64, any other
text is its own bytes. It refuses a hook that is older or newer than five minutes, so that an overheard one is of no use.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

TOLERANCE_SECONDS = 300


def signature_fault(secret: str, headers: Mapping[str, str], body: bytes, now_seconds: float) -> str | None:
    """Why this hook is not to be believed; None when it is genuine."""
    identity = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not identity or not timestamp.isdigit():
        return "webhook-id or webhook-timestamp is missing"
    if abs(now_seconds - int(timestamp)) > TOLERANCE_SECONDS:
        return "the timestamp is not of now"
    signed = f"{identity}.{timestamp}.".encode() + body
    expected = hmac.new(_key(secret), signed, hashlib.sha256).digest()
    for one in headers.get("webhook-signature", "").split():
        version, _, text = one.partition(",")
        if version == "v1" and hmac.compare_digest(_decoded(text), expected):
            return None
    return "no signature fits"


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
