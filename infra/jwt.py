"""Whose JWT are believed, and what one says. Values only: the check, `infra.jwt_check`, loads 9 MB of cryptography, and a
service that checks no token does without.
"""

import msgspec

from infra.config import Secret

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
"""Public-key algorithms. HMAC has to be asked for by name, with a shared secret as key."""


class JwtSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Whose tokens are believed.

    `keys` is a PEM public key, a JWKS as JSON text, the path of a file with either, an https address of a JWKS, or (for
    HS256 and kin) the shared secret, at least 32 bytes. Without `groups_claim` groups come from the directory alone.
    `admit_unknown` lets in people whom the directory does not have, never as administrators.
    """

    issuer: str
    audience: str
    keys: Secret
    algorithms: tuple[str, ...] = ALGORITHMS
    groups_claim: str | None = None
    admit_unknown: bool = False
    leeway_seconds: int = 30


class Claimed(msgspec.Struct, frozen=True):
    """What a sound token says: the subject, their groups (`None`: no such claim asked), when it ends (Unix seconds)."""

    subject: str
    groups: tuple[str, ...] | None
    expires: int
