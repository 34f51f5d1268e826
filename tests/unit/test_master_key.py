"""The master key of the key store: 32 bytes, or a sentence that does not show it."""

import base64

import pytest

from infra.config import Secret
from infra.errors import Misconfigured
from infra.keystore import master_key_of, new_master_key


def test_a_new_master_key_is_32_bytes_and_never_the_same() -> None:
    assert len(master_key_of(Secret(new_master_key()))) == 32
    assert new_master_key() != new_master_key()


def test_hex_and_base64_are_the_same_key() -> None:
    key = bytes(range(32))
    assert master_key_of(Secret(key.hex())) == master_key_of(Secret(base64.b64encode(key).decode() + "\n")) == key


@pytest.mark.parametrize("text", ["", "opensesame", "ab" * 31, base64.b64encode(b"x" * 16).decode(), "é" * 32])
def test_anything_else_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        master_key_of(Secret(text))
    assert not text or text not in str(refused.value)
