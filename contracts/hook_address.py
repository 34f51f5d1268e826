"""What the address of a receiver may look like, as a text: the first of two guards against requests that go astray.

Parsers of addresses disagree about odd ones (`http://a@b`, `http://0x7f.1`, `http://good\\@bad`), and who checks one
reading and connects by another has checked nothing. So only plain ones are taken, which everybody reads alike. Whether
the host may be reached is decided when the connection is made, by the address that its name has at that moment.
"""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import SplitResult, urlsplit

_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*", re.IGNORECASE)
_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)
LONGEST = 2_000


def address_faults(url: str) -> list[str]:
    """What is wrong with this address of a receiver; each fits behind "the address"."""
    if not url.isascii() or not url.isprintable() or set(url) & set(' \\"<>^`{|}'):
        return ["has characters that must be percent-encoded"]
    if len(url) > LONGEST:
        return [f"is longer than {LONGEST} characters"]
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return [f"is not an address: {error}"]
    faults = [] if parts.scheme in ("http", "https") else ["must begin with https:// or http://"]
    if "@" in parts.netloc:
        faults.append("carries a user or password, which everybody would see")
    elif fault := _host_fault(parts):
        faults.append(fault)
    if port == 0:
        faults.append("has port 0, which cannot be reached")
    if "#" in url:
        faults.append("has a fragment (#...), which is never sent")
    return faults


def is_name(host: str) -> bool:
    """Whether this is the name of a host, and no address in any notation (WHATWG URL: a last label that is a number)."""
    return len(host) <= 253 and bool(_NAME.fullmatch(host)) and not _NUMBER.fullmatch(host.rpartition(".")[2])


def _host_fault(parts: SplitResult) -> str:
    host = parts.hostname
    if not host:
        return "names no host"
    if parts.netloc.startswith("["):
        return "" if _is_address(host, IPv6Address) and "%" not in host else "is no plain IPv6 address"
    if host.endswith("."):
        return "has a host that ends with a dot; leave it out"
    if is_name(host) or _is_address(host, IPv4Address):
        return ""
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        return "has an IPv4 address in an odd notation; write it as four decimal numbers"
    return "has a host that is no name and no address"


def _is_address(host: str, kind: type[IPv4Address] | type[IPv6Address]) -> bool:
    try:
        kind(host)
    except AddressValueError:
        return False
    return True
