"""Ids. Random where nobody asked for one, derived where a repetition must find the first."""

import hashlib
import random

_random = random.Random()  # noqa: S311 - seeded by the system; ids are unique, not secret, and made several per request


def random_id(digits: int = 24) -> str:
    """Lower-case hex digits, 24 like the plan ids of the seed's sample. Unique, and no secret: a token is made elsewhere."""
    return f"{_random.getrandbits(4 * digits):0{digits}x}"


def derived_id(*parts: str, digits: int = 24) -> str:
    """The same id for the same parts, so that a command sent twice creates once. Collision-free for 24 digits (96 bits)."""
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:digits]


def lists_stream(actor: str) -> str:
    """The stream of a person's saved lists."""
    return f"list-{derived_id('lists', actor)}"
