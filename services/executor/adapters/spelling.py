"""The spellings under which a log may show a secret. Pure; `saying.py` looks for them.

As it is; as JSON, URLs, shells, Python and HTML escape it; as hexadecimal; as base64, whole or in the middle of something
longer; each line of it. What a program makes unrecognisable (compresses, encrypts, prints letter by letter) is not found.

The rule of length: nothing shorter than `SHORTEST_BYTES` is looked for. A secret of three characters cannot be hidden:
masking each place where they stand would garble every log, and tell where they stand.
"""

import base64
import html
import json
import re
import shlex
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

SHORTEST_BYTES = 4
_WRAPPED = (76, 64)
"""Where `base64` and PEM break their lines."""
_SHELL_SPECIAL = re.compile(r"([^A-Za-z0-9_@%+=:,./-])")
_QUOTED_SPECIAL = re.compile(r'([\\"$`])')
_BACKSLASHED = str.maketrans({"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\E"})


def spellings(secret: str) -> frozenset[bytes]:
    """All spellings that are long enough to be looked for."""
    lines = [line for line in (one.strip() for one in secret.splitlines()) if line]
    found = {form.encode(errors="surrogateescape") for text in (secret, *lines) for form in _written(text)}
    for text in {secret, secret.strip()}:
        found.update(_encoded(text.encode(errors="surrogateescape")))
    return frozenset(form for form in found if len(form) >= SHORTEST_BYTES)


def _written(text: str) -> Iterator[str]:
    """Escaped, letter by letter still readable."""
    yield from (text, text.strip(), text.replace("\n", "\r\n"))
    yield from (quote(text), quote(text, safe=""), quote_plus(text))
    yield from (_small_escapes(quote(text)), _small_escapes(quote(text, safe="")), _small_escapes(quote_plus(text)))
    for ascii_only in (True, False):
        inner = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield from (inner, inner.replace("/", "\\/"), json.dumps(inner)[1:-1])
        yield re.sub("[<>&]", lambda match: f"\\u{ord(match[0]):04x}", inner)  # as Go and Rails write JSON
    yield from (shlex.quote(text), text.replace("'", "'\"'\"'"), text.replace("'", "'\\''"))
    yield from (_SHELL_SPECIAL.sub(r"\\\1", text), _QUOTED_SPECIAL.sub(r"\\\1", text), text.translate(_BACKSLASHED))
    yield from (repr(text)[1:-1], repr(text.encode(errors="surrogateescape"))[2:-1])
    yield from (html.escape(text), html.escape(text, quote=False), html.escape(text).replace("&#x27;", "&#39;"))


def _small_escapes(quoted: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), quoted)


def _encoded(secret: bytes) -> Iterator[bytes]:
    if len(secret) < SHORTEST_BYTES:
        return
    digits = secret.hex()
    yield from (digits.encode(), digits.upper().encode())
    for pairs in (digits, digits.upper()):
        yield "".join(f"%{pairs[i : i + 2]}" for i in range(0, len(pairs), 2)).encode()
        yield "".join(f"\\x{pairs[i : i + 2]}" for i in range(0, len(pairs), 2)).encode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for whole in (encode(secret), encode(secret + b"\n")):
            yield whole
            for width in _WRAPPED:
                if len(whole) > width:
                    yield from (part for part in _cut(whole, width) if len(part) >= 2 * SHORTEST_BYTES)
        for before in (0, 1, 2):
            yield _middle(encode(bytes(before) + secret), before, len(secret))


def _middle(whole: bytes, before: int, length: int) -> bytes:
    """The characters that the secret alone determines, whatever stands `before` bytes modulo 3 ahead of it, or after."""
    return whole[-(-before * 8 // 6) : (before + length) * 8 // 6]


def _cut(text: bytes, width: int) -> Iterator[bytes]:
    return (text[start : start + width] for start in range(0, len(text), width))
