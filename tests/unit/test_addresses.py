"""Which addresses a request on somebody's behalf may reach."""

import socket

import pytest

from infra.addresses import Blocked, allowed, guarded_sockets, networks
from infra.errors import Misconfigured


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
        ),
        *("192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "168.63.129.16", "192.88.99.1"),
        *("::", "::1", "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1", "2001:db8::1"),
        *(
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        ),
    ],
)
def test_what_is_not_public_is_not_reached(address: str) -> None:
    assert not allowed(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_what_is_public_is_reached(address: str) -> None:
    assert allowed(address)


def test_a_named_network_is_reached_and_no_other() -> None:
    extra = networks(["127.0.0.0/8", "fd00::/8"])
    assert allowed("127.0.0.1", extra)
    assert allowed("::ffff:127.0.0.1", extra)
    assert allowed("fd00::7", extra)
    assert not allowed("10.0.0.1", extra)
    assert not allowed("::1", extra)


def test_the_socket_of_a_blocked_address_is_never_made() -> None:
    info = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 80))
    with pytest.raises(Blocked, match=r"10\.0\.0\.1"):
        guarded_sockets()(info)
    made = guarded_sockets(networks(["10.0.0.0/8"]))(info)
    made.close()


def test_a_text_that_is_no_network_is_refused() -> None:
    with pytest.raises(Misconfigured):
        networks(["localhost"])
