"""Settings: typed, all faults at once, secrets never shown."""

import copy
import pickle
from pathlib import Path
from typing import Annotated

import msgspec
import pytest

from infra.config import Row, Secret, Settings, describe, load
from infra.errors import Misconfigured

DATABASE = {"GONOGO_DATABASE_URL": "postgresql://planner:hunter2@db/gonogo"}


class Wide(Settings, frozen=True, kw_only=True):
    """A service's own settings."""

    hosts: Annotated[tuple[str, ...], msgspec.Meta(description="Hosts, by comma.")] = ()
    signing_key: Annotated[Secret | None, msgspec.Meta(description="A secret that may be absent.")] = None
    seconds: Annotated[float, msgspec.Meta(gt=0, description="A duration, in seconds.")] = 1.5
    pauses: Annotated[
        tuple[Annotated[float, msgspec.Meta(ge=0)], ...], msgspec.Meta(description="Pauses, in seconds.")
    ] = (1, 2.5)
    address: Annotated[
        str, msgspec.Meta(pattern="^http", title="an address such as https://example.com", description="Where we are.")
    ] = "http://here"


def test_every_field_is_read_from_its_variable() -> None:
    settings = load(
        Wide,
        DATABASE
        | {
            "GONOGO_STATUS_PORT": "9000",
            "GONOGO_DATA": "/srv/gonogo",
            "GONOGO_HOSTS": "a, b,",
            "GONOGO_SECONDS": "0.5",
            "GONOGO_UVLOOP": "false",
            "GONOGO_SIGNING_KEY": "s",
        },
    )
    assert settings.database_url.reveal() == DATABASE["GONOGO_DATABASE_URL"]
    assert (settings.status_port, settings.data, settings.hosts) == (9000, Path("/srv/gonogo"), ("a", "b"))
    assert (settings.seconds, settings.uvloop) == (0.5, False)
    assert settings.signing_key == Secret("s")


def test_a_variable_of_opentelemetry_keeps_its_name() -> None:
    settings = load(Wide, DATABASE | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"})
    assert settings.otel_exporter_otlp_endpoint == "http://127.0.0.1:4318"
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in {row.name for row in describe(Wide)}


def test_an_empty_variable_is_an_absent_one() -> None:
    settings = load(Wide, DATABASE | {"GONOGO_STATUS_PORT": "", "GONOGO_SIGNING_KEY": ""})
    assert (settings.status_port, settings.signing_key) == (0, None)
    with pytest.raises(Misconfigured, match="GONOGO_DATABASE_URL is missing"):
        load(Wide, {"GONOGO_DATABASE_URL": ""})


def test_all_faults_are_named_at_once_in_one_sentence() -> None:
    environ = {"GONOGO_STATUS_PORT": "70000", "GONOGO_LOG_LEVEL": "loud", "GONOGO_SECONDS": "soon"}
    with pytest.raises(Misconfigured) as raised:
        load(Wide, environ)
    for name in ("GONOGO_DATABASE_URL", "GONOGO_STATUS_PORT", "GONOGO_LOG_LEVEL", "GONOGO_SECONDS"):
        assert name in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_wrong_word_is_answered_with_the_right_ones_and_a_wrong_number_with_its_bounds() -> None:
    environ = {"GONOGO_STATUS_PORT": "70000", "GONOGO_LOG_LEVEL": "loud", "GONOGO_SECONDS": "soon"}
    with pytest.raises(Misconfigured) as raised:
        load(
            Wide,
            DATABASE | environ | {"GONOGO_PAUSES": "1, x, -1", "GONOGO_ADDRESS": "here", "GONOGO_UVLOOP": "perhaps"},
        )
    assert str(raised.value).split("; GONOGO_") == [
        "GONOGO_STATUS_PORT: must be 65535 or less (given '70000')",
        "LOG_LEVEL: must be one of debug, error, info, warning (given 'loud')",
        "UVLOOP: must be true or false (given 'perhaps')",
        "SECONDS: must be a number (given 'soon')",
        "PAUSES: value 2 must be a number; value 3 must be 0 or more (given '1, x, -1')",
        "ADDRESS: must be an address such as https://example.com (given 'here')",
    ]


def test_a_secret_comes_from_a_file_without_its_last_line_feed(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("hunter2\n")
    assert load(Wide, DATABASE | {"GONOGO_NATS_PASSWORD_FILE": str(file)}).nats_password.reveal() == "hunter2"


def test_a_secret_given_twice_or_from_a_missing_file_is_a_fault_that_does_not_show_it(tmp_path: Path) -> None:
    twice = DATABASE | {"GONOGO_NATS_PASSWORD": "hunter2", "GONOGO_NATS_PASSWORD_FILE": str(tmp_path / "none")}
    with pytest.raises(Misconfigured, match="not both") as raised:
        load(Wide, twice)
    assert "hunter2" not in str(raised.value)
    with pytest.raises(Misconfigured, match="cannot be read"):
        load(Wide, DATABASE | {"GONOGO_NATS_PASSWORD_FILE": str(tmp_path / "none")})


def test_a_secret_never_shows_itself() -> None:
    settings = load(Wide, DATABASE)
    secret = settings.database_url
    shown = [
        repr(settings),
        str(settings),
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r}",
        repr([secret]),
    ]
    assert not [text for text in shown if "hunter2" in text]
    with pytest.raises(TypeError):
        msgspec.json.encode(settings)
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    assert copy.copy(secret) is secret


def test_settings_are_described_by_name_default_and_meaning() -> None:
    rows = {row.name: row for row in describe(Wide)}
    assert rows["GONOGO_DATABASE_URL"].default == "required"
    assert rows["GONOGO_NATS_PASSWORD"].default == ""
    assert rows["GONOGO_LOG_LEVEL"].description.endswith("One of debug, info, warning, error.")
    assert rows["GONOGO_PAUSES"].default == "1,2.5"
    assert rows["GONOGO_SECONDS"] == Row("GONOGO_SECONDS", "1.5", "A duration, in seconds.")
    assert not [row.name for row in rows.values() if not row.description]
