"""Which network addresses a request on somebody's behalf may reach: the guard against server-side request forgery.

Public addresses only, unless a network is allowed by name. The check sits where the socket is made, so it sees each
final address after names, redirects and happy eyeballs; what was checked is what is connected to. It needs the session
to follow no proxy (`trust_env=False`), which would resolve names elsewhere.
"""

import socket
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from infra.errors import Misconfigured

Network = IPv4Network | IPv6Network
AddressInfo = tuple[Any, ...]
"""As `socket.getaddrinfo` gives it: family, type, protocol, canonical name, address."""

_NAT64 = IPv6Network("64:ff9b::/96")
_DENIED: tuple[Network, ...] = (
    # The standard library takes these for public: old site-local, a cloud's metadata service, the 6to4 relay.
    IPv6Network("fec0::/10"),
    IPv4Network("168.63.129.16/32"),
    IPv4Network("192.88.99.0/24"),
)


class Blocked(OSError):
    """The address may not be reached."""


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """The networks of a setting, such as `127.0.0.0/8`. Raises Misconfigured for a text that is none."""
    try:
        return tuple(ip_network(text) for text in texts)
    except ValueError as error:
        raise Misconfigured(f"not a network: {error}") from None


def allowed(text: str, extra: Iterable[Network] = ()) -> bool:
    """Whether this address may be reached: it is public, or lies in one of the `extra` networks."""
    address = _meant(ip_address(text.split("%")[0]))
    if address is None:
        return False
    if any(address in network for network in extra if network.version == address.version):
        return True
    if any(address in network for network in _DENIED if network.version == address.version):
        return False
    unfit = address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback
    return address.is_global and not (unfit or address.is_link_local or address.is_private)


def guarded_sockets(extra: Iterable[Network] = ()) -> Callable[[AddressInfo], socket.socket]:
    """For `aiohttp.TCPConnector(socket_factory=...)`: makes a socket, or raises Blocked."""
    networks = tuple(extra)

    def make(info: AddressInfo) -> socket.socket:
        if not allowed(info[4][0], networks):
            raise Blocked(0, f"address {info[4][0]} is not allowed")
        return socket.socket(info[0], info[1], info[2])

    return make


def _meant(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address | None:
    """The IPv4 address that an IPv6 one stands for; None for Teredo, which hides it."""
    if isinstance(address, IPv4Address):
        return address
    if address.teredo:
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
