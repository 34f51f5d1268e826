"""Which addresses a request on somebody's behalf may reach."""

import socket

import pytest

from infra.addresses import Blocked, Reach, allowed, guarded_sockets, networks, reach_of
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
        *(
            "100.100.100.200",
            "169.254.170.2",
            "192.0.0.192",
            "192.0.0.8",
            "198.51.100.1",
            "203.0.113.1",
            "192.31.196.1",
        ),
        *("fd00:ec2::254", "fd20:ce::254", "fe80::a9fe:a9fe", "::ffff:169.254.169.254", "::ffff:0:0"),
        *("::", "::1", "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1", "2001:db8::1"),
        *(
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::7f00:1",
            "::127.0.0.1",
            "fe80::5efe:127.0.0.1",
            "2a00:1450:4001:81b:0:5efe:7f00:1",
            "2001:10::1",
            "2001:20::1",
            "3fff::1",
            "5f00::1",
            "100::1",
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


@pytest.mark.parametrize("address", ["169.254.169.254", "100.100.100.200", "fd00:ec2::254", "::ffff:169.254.169.254"])
def test_where_clouds_hand_out_credentials_nobody_gets_by_chance(address: str) -> None:
    assert not allowed(address, networks(["0.0.0.0/0", "::/0", "169.254.0.0/16"]))


def test_a_metadata_address_is_reached_by_who_names_just_that_one() -> None:
    assert allowed("169.254.169.254", networks(["169.254.169.254/32"]))


def test_a_name_may_be_private_but_never_everything() -> None:
    reach = reach_of(["Board.internal", "10.1.0.0/16"])
    assert reach.networks == networks(["10.1.0.0/16"])
    for address in ("10.9.9.9", "192.168.0.1", "127.0.0.1", "fd01::1", "::1"):
        assert allowed(address, reach.networks_for("board.INTERNAL"))
        assert not allowed(address, reach.networks_for("evil-board.internal"))
    for address in ("169.254.169.254", "fd00:ec2::254", "169.254.1.1", "fe80::1", "224.0.0.1", "0.0.0.0"):
        assert not allowed(address, reach.networks_for("board.internal"))


def test_only_listed_ports_are_reached() -> None:
    make = guarded_sockets(ports=reach_of((), ("443", "8000-8010")).ports)
    for port in (443, 8000, 8010):
        make((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("1.1.1.1", port))).close()
    for port in (22, 80, 7999, 8011):
        with pytest.raises(Blocked, match=str(port)):
            make((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("1.1.1.1", port)))


@pytest.mark.parametrize("ports", [("x",), ("0",), ("65536",), ("9-8",), ("-1",), ("1-", "2-x")])
def test_a_text_that_is_no_port_is_refused(ports: tuple[str, ...]) -> None:
    with pytest.raises(Misconfigured, match="port"):
        reach_of((), ports)


def test_nothing_is_reached_by_a_reach_that_lists_no_port() -> None:
    with pytest.raises(Blocked):
        guarded_sockets(ports=Reach().ports)((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("1.1.1.1", 443)))
