"""Ids. Random where nobody asked for one, derived where a repetition must find the first."""

import hashlib
import secrets


def random_id() -> str:
    """24 lower-case hex digits, like the plan ids of the seed's sample."""
    return secrets.token_hex(12)


def derived_id(*parts: str, digits: int = 24) -> str:
    """The same id for the same parts, so that a command sent twice creates once. Collision-free for 24 digits (96 bits)."""
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:digits]
