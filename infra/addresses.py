"""Which network addresses a request on somebody's behalf may reach: the guard against server-side request forgery.

Public addresses on listed ports only; networks and host names may be allowed besides. The check sits where the socket is
made, so it sees each final address after names, redirects and happy eyeballs; what was checked is what is connected to,
and a name whose answer changes is checked by each answer. It needs the session to follow no proxy (`trust_env=False`),
which would resolve names elsewhere.
"""

import socket
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import msgspec

from contracts.hook_address import is_name
from infra.errors import Misconfigured

Network = IPv4Network | IPv6Network
AddressInfo = tuple[Any, ...]
"""As `socket.getaddrinfo` gives it: family, type, protocol, canonical name, address."""

_NAT64 = IPv6Network("64:ff9b::/96")
_DENIED: tuple[Network, ...] = (
    # The standard library takes some of these for public, others only in some versions: old site-local, a cloud's
    # metadata service, the 6to4 relay, AS112, AMT, local NAT64, discard, dummy, ORCHID, documentation, segment routing.
    *map(
        IPv4Network,
        ("192.0.0.0/24", "168.63.129.16/32", "192.88.99.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24"),
    ),
    *map(IPv6Network, ("fec0::/10", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2620:4f:8000::/48")),
    *map(IPv6Network, ("3fff::/20", "5f00::/16")),
)
_METADATA = frozenset(
    map(
        ip_address,
        (
            *("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
            *("fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fe80::a9fe:a9fe"),
        ),
    )
)
"""Where clouds hand out credentials. Allowed only by a network of this one address, so that nobody does it by chance."""
_PRIVATE: tuple[Network, ...] = (
    *map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8")),
    *map(IPv6Network, ("fc00::/7", "::1/128")),
)
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})
USUAL_PORTS = ("80", "443", "8080", "8443")


class Blocked(OSError):
    """The address may not be reached."""


class Reach(msgspec.Struct, frozen=True):
    """What may be reached beside public addresses: any address in `networks`, and for `names` private ones as well.

    `ports` holds for all of them.
    """

    networks: tuple[Network, ...] = ()
    names: frozenset[str] = frozenset()
    ports: tuple[range, ...] = ()

    def networks_for(self, host: str) -> tuple[Network, ...]:
        """The networks in which this host may lie."""
        return (*self.networks, *_PRIVATE) if host.lower() in self.names else self.networks


def reach_of(allow: Iterable[str], ports: Iterable[str] = USUAL_PORTS) -> Reach:
    """Of settings: networks (`10.1.0.0/16`) or host names, and ports (`443`, `8000-8999`). Raises Misconfigured."""
    entries = tuple(allow)
    names = frozenset(entry.lower() for entry in entries if is_name(entry))
    return Reach(networks(entry for entry in entries if entry.lower() not in names), names, tuple(map(_range, ports)))


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """The networks of a setting, such as `127.0.0.0/8`. Raises Misconfigured for a text that is none."""
    try:
        return tuple(ip_network(text) for text in texts)
    except ValueError as error:
        raise Misconfigured(f"not a network: {error}") from None


def _range(text: str) -> range:
    first, _, last = text.partition("-")
    try:
        found = range(int(first), int(last or first) + 1)
    except ValueError:
        found = range(0)
    if not found or found[0] < 1 or found[-1] > 65_535:
        raise Misconfigured(f"not a port or a range of ports: {text}")
    return found


def allowed(text: str, extra: Iterable[Network] = ()) -> bool:
    """Whether this address may be reached: it is public, or lies in one of the `extra` networks."""
    address = _meant(ip_address(text.split("%")[0]))
    if address is None:
        return False
    around = [network for network in extra if network.version == address.version and address in network]
    if address in _METADATA:
        return any(network.num_addresses == 1 for network in around)
    if around:
        return True
    if any(address in network for network in _DENIED if network.version == address.version):
        return False
    unfit = address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback
    return address.is_global and not (unfit or address.is_link_local or address.is_private)


def guarded_sockets(
    extra: Iterable[Network] = (), ports: Iterable[range] | None = None
) -> Callable[[AddressInfo], socket.socket]:
    """For `aiohttp.TCPConnector(socket_factory=...)`: makes a socket, or raises Blocked. Without `ports` any will do."""
    networks = tuple(extra)
    listed = None if ports is None else tuple(ports)

    def make(info: AddressInfo) -> socket.socket:
        host, port = info[4][:2]
        if not allowed(host, networks):
            raise Blocked(0, f"address {host} is not allowed")
        if listed is not None and not any(port in one for one in listed):
            raise Blocked(0, f"port {port} is not allowed")
        return socket.socket(info[0], info[1], info[2])

    return make


def _meant(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address | None:
    """The IPv4 address that an IPv6 one stands for; None for Teredo, which hides it."""
    if isinstance(address, IPv4Address):
        return address
    if address.teredo:
        return None
    if address in _NAT64 or (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
