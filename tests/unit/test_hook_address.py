"""Addresses of receivers as texts: plain ones are taken, odd ones refused."""

import pytest

from contracts.hook_address import address_faults, is_name

PLAIN = (
    "https://board.example.org/hooks?team=a%20b",
    "http://board:8080/",
    "http://93.184.215.14/",
    "https://[2606:4700:4700::1111]:8443/x",
    "https://xn--bcher-kva.example/",
    "https://a_b.internal/",
)
ODD = (
    *(
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://2130706433/",
        "http://127.1/",
        "http://0/",
        "http://0x7f000001/",
    ),
    *("http://127.0.0.1./", "http://board.example.org./", "http://1.2.3.4.5/", "http://256.1.1.1/", "http://01.2.3.4/"),
    *(
        "http://[::1%25eth0]/",
        "http://[fe80::1%eth0]/",
        "http://[::ffff:127.0.0.1/",
        "http://[127.0.0.1]/",
        "http://[]/",
    ),
    *("http://good.org@127.0.0.1/", "http://127.0.0.1@good.org/", "http://user:pw@good.org/", "http://@good.org/"),
    *("http://good.org\\@127.0.0.1/", "http://good.org#@127.0.0.1/", "http://good.org /", "http://good\torg/"),
    *("http://①②⑦.⓪.⓪.①/", "http://127。0。0。1/", "http://bücher.example/", "http://%31%32%37.0.0.1/"),
    *("http://127.0.0.1:0/", "http://good.org:99999/", "http://good.org:x/", "http:///hooks", "http://", "//good.org/"),
    *("ftp://good.org/", "file:///etc/passwd", "gopher://good.org/", "javascript:alert(1)", "good.org", ""),
    *(
        "http://-a.org/",
        "http://a..org/",
        "http://.a.org/",
        "http://" + "a" * 64 + ".org/",
        "https://a.org/" + "x" * 2_000,
    ),
)


@pytest.mark.parametrize("url", PLAIN)
def test_a_plain_address_is_taken(url: str) -> None:
    assert address_faults(url) == []


@pytest.mark.parametrize("url", ODD)
def test_an_odd_address_is_refused_with_a_reason(url: str) -> None:
    assert all(address_faults(url))
    assert address_faults(url)


def test_all_that_is_wrong_is_told_at_once() -> None:
    assert len(address_faults("ftp://a@b:0/#x")) == 4


@pytest.mark.parametrize("text", ["10.0.0.0/8", "10.0.0.1", "1", "0x1", "a.0x7f", "::1", "a b", "", "a." * 130 + "a"])
def test_a_number_is_no_name(text: str) -> None:
    assert not is_name(text)
