"""Signed bearer tokens: believed only with our algorithms, our issuer, our audience and a time to live."""

import asyncio
import base64
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from infra.config import Secret
from infra.errors import Misconfigured
from infra.jwt import Claimed, JwtSettings
from infra.jwt_check import JwtCheck
from tests.support.wait import PATIENCE_SECONDS, eventually

NOW = 1_800_000_000
KEY = RSAKey.generate_key(2048, {"kid": "first"})
OTHER = RSAKey.generate_key(2048, {"kid": "first"})
SOUND: dict[str, Any] = {"iss": "https://id.example", "aud": "gonogo", "exp": NOW + 600, "sub": "olivia"}


def settings(**changes: Any) -> JwtSettings:
    jwks = json.dumps(KeySet([KEY]).as_dict(private=False))
    return JwtSettings(**{"issuer": "https://id.example", "audience": "gonogo", "keys": Secret(jwks)} | changes)


def check(**changes: Any) -> JwtCheck:
    return JwtCheck(settings(**changes), lambda: NOW)


def token(claims: dict[str, Any], key: Any = KEY, header: dict[str, Any] | None = None) -> str:
    header = {"alg": "RS256", "kid": "first"} | (header or {})
    return jwt.encode(header, claims, key, algorithms=[header["alg"]])


def part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


async def test_a_sound_token_gives_its_subject() -> None:
    assert await check().claims(token(SOUND)) == Claimed("olivia", None, NOW + 600)


async def test_groups_come_from_the_named_claim() -> None:
    found = await check(groups_claim="groups").claims(token(SOUND | {"groups": ["sre", 5, "dev"]}))
    assert found is not None
    assert found.groups == ("sre", "dev")


@pytest.mark.parametrize("missing", ["iss", "aud", "exp", "sub"])
async def test_a_token_without_a_demanded_claim_is_nobodys(missing: str) -> None:
    claims = {name: value for name, value in SOUND.items() if name != missing}
    assert await check().claims(token(claims)) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://other.example"},
        {"aud": "somebody"},
        {"exp": NOW - 31},
        {"nbf": NOW + 60},
        {"sub": 7},
        {"exp": "soon"},
    ],
)
async def test_a_token_with_a_wrong_claim_is_nobodys(wrong: dict[str, Any]) -> None:
    assert await check().claims(token(SOUND | wrong)) is None


async def test_a_foreign_signature_is_refused() -> None:
    assert await check().claims(token(SOUND, OTHER)) is None


async def test_an_unknown_key_id_is_refused() -> None:
    assert await check().claims(token(SOUND, KEY, {"kid": "second"})) is None


async def test_an_unsigned_token_is_refused() -> None:
    assert await check().claims(f"{part({'alg': 'none'})}.{part(SOUND)}.") is None


async def test_a_public_key_is_not_taken_as_an_hmac_secret() -> None:
    public = KEY.as_pem(private=False).decode()
    signed = f"{part({'alg': 'HS256'})}.{part(SOUND)}"
    mac = hmac.digest(public.encode(), signed.encode(), "sha256")
    forged = f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    assert await check(keys=Secret(public)).claims(forged) is None
    assert await check(keys=Secret(public)).claims(token(SOUND)) is not None


async def test_an_algorithm_outside_the_list_is_refused() -> None:
    assert await check(algorithms=("ES256",)).claims(token(SOUND)) is None


async def test_keys_may_be_a_pem_file(tmp_path: Path) -> None:
    key = ECKey.generate_key("P-256")
    file = tmp_path / "issuer.pem"
    file.write_bytes(key.as_pem(private=False))
    signed = jwt.encode({"alg": "ES256"}, SOUND, key)
    assert await check(keys=Secret(str(file))).claims(signed) is not None


async def test_a_shared_secret_works_when_it_is_asked_for() -> None:
    secret = "s" * 40
    signed = jwt.encode({"alg": "HS256"}, SOUND, OctKey.import_key(secret))
    assert await check(keys=Secret(secret), algorithms=("HS256",)).claims(signed) is not None


@pytest.mark.parametrize("text", ["", "x.y.z", "a.b", "." * 2, "e30.e30.", "x" * 20_000])
async def test_garbage_is_nobody_and_no_error(text: str) -> None:
    assert await check().claims(text) is None


async def test_who_shows_an_unknown_key_id_makes_nobody_else_wait_for_the_issuer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, answering = threading.Event(), threading.Event()

    def fetch(address: str) -> str:
        asked.set()
        answering.wait()
        return settings().keys.reveal()

    monkeypatch.setattr("infra.jwt_check._fetch", fetch)
    answering.set()
    checking = check(keys=Secret("http://127.0.0.1/jwks"))
    assert await checking.claims(token(SOUND)) is not None
    monkeypatch.setattr("infra.jwt_check._AGAIN_SECONDS", -1.0)
    asked.clear()
    answering.clear()
    stranger = asyncio.create_task(checking.claims(token(SOUND, KEY, {"kid": "second"})))
    try:
        await eventually(asked.is_set)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await checking.claims(token(SOUND)) is not None
        assert not stranger.done()
    finally:
        answering.set()
    assert await stranger is None


async def test_keys_are_not_fetched_from_where_a_redirect_leaves_https() -> None:
    asked: list[str] = []

    class Issuer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = settings().keys.reveal().encode()
            self.send_response(302 if self.path == "/moved" else 200)
            self.send_header("Location", "/jwks")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Issuer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        assert await check(keys=Secret(f"{address}/jwks")).claims(token(SOUND)) is not None
        assert await check(keys=Secret(f"{address}/moved")).claims(token(SOUND)) is None
        await asyncio.to_thread(server.shutdown)
    assert asked == ["/jwks", "/moved"]


def weak_pem() -> str:
    key = rsa.generate_private_key(65537, 1024)
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize(
    "changes",
    [
        {"keys": Secret("not a key")},
        {"keys": Secret("{}")},
        {"keys": Secret("/no/such/file")},
        {"keys": Secret("http://id.example/jwks")},
        {"keys": Secret("short"), "algorithms": ("HS256",)},
        {"algorithms": ("HS256", "RS256")},
        {"keys": Secret(weak_pem())},
    ],
)
def test_senseless_settings_are_refused_without_showing_the_key(changes: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured) as refused:
        check(**changes)
    assert "not a key" not in str(refused.value)
