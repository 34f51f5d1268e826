"""The one form of a value that is hashed: RFC 8785 (JSON Canonicalization Scheme).

msgspec's sorted JSON equals RFC 8785 for values without floats, with integers below 2**53 and with keys whose order by
code point is their order by UTF-16; `values.py` keeps to that profile and a test holds it against an independent
implementation.
"""

import msgspec

_encoder = msgspec.json.Encoder(order="sorted")


def canonical(value: object) -> bytes:
    """The bytes to hash. Default fields are left out, so a field that is added later with a default changes no seal."""
    return _encoder.encode(value)
