"""Signing keys of both kinds: what verifies, and that no key is shown."""

import base64

import pytest

from infra.signing import PUBLIC_PREFIX, SigningKey, new_private_key, signatures, signed_by, verify_with_public_key

HMAC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SIGNED = ("msg_1", 1_614_265_330, b'{"test": 1}')


def test_a_shared_secret_verifies_its_own_signature_among_others() -> None:
    key, other = SigningKey.of(HMAC), SigningKey.of("another secret")
    header = signatures((other, key), *SIGNED)
    assert header.count(" ") == 1
    assert signed_by((key,), *SIGNED, header)
    assert not signed_by((SigningKey.of("a third"),), *SIGNED, header)
    assert not signed_by((key,), "msg_2", *SIGNED[1:], header)
    assert not signed_by((), *SIGNED, header)


@pytest.mark.parametrize("header", ["", " ", "v1,", "v1,ü", "v2,AAAA", "v1a,AAAA", "v1"])
def test_what_is_no_signature_verifies_nothing(header: str) -> None:
    assert not signed_by((SigningKey.of(HMAC),), *SIGNED, header)
    assert not verify_with_public_key(SigningKey.of(new_private_key()).public(), *SIGNED, header)


def test_a_key_pair_verifies_by_its_public_half_whether_seed_or_both_halves_are_kept() -> None:
    secret = new_private_key()
    key = SigningKey.of(secret)
    seed = base64.b64decode(secret.removeprefix("whsk_"))
    half = base64.b64decode(key.public().removeprefix(PUBLIC_PREFIX))
    both = SigningKey.of("whsk_" + base64.b64encode(seed + half).decode())
    assert both.sign(*SIGNED) == key.sign(*SIGNED)
    assert verify_with_public_key(key.public(), *SIGNED, key.sign(*SIGNED))
    assert not verify_with_public_key(key.public(), "msg_2", *SIGNED[1:], key.sign(*SIGNED))
    assert not signed_by((key,), *SIGNED, key.sign(*SIGNED))  # only the holder of the secret could have made it: we


@pytest.mark.parametrize("secret", ["whsk_", "whsk_AAAA", "whsk_not base64", "whsk_" + "A" * 48])
def test_a_private_key_of_another_length_is_refused_without_showing_it(secret: str) -> None:
    with pytest.raises(ValueError, match="32 or 64") as refused:
        SigningKey.of(secret)
    assert secret == "whsk_" or secret not in str(refused.value)


def test_a_public_key_that_is_none_is_told_as_such() -> None:
    with pytest.raises(ValueError, match="whpk_"):
        verify_with_public_key("whpk_AAAA", *SIGNED, "v1a,AAAA")


def test_no_key_is_shown() -> None:
    assert repr(SigningKey.of(HMAC)) == "SigningKey('v1')"
    assert str(SigningKey.of(new_private_key())) == "SigningKey('v1a')"
