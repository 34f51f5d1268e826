"""Settings from the environment: one frozen, typed struct per service, all faults in one sentence.

Field `nats_url` is read from `GONOGO_NATS_URL`; a `Secret` also from the file that `GONOGO_<FIELD>_FILE` names. A field
`otel_...` is one of OpenTelemetry's own variables and keeps its name, under which its library reads it, too. An empty
variable counts as absent. Nothing is read at import time, and variables that no field names are ignored: one environment
serves several services.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args, get_origin

import msgspec

from contracts.shape import in_words
from infra.errors import Misconfigured

PREFIX = "GONOGO_"
_STANDARD = "otel_"


class Secret:
    """A text that never shows itself: printing, formatting and logging give `***`. `reveal()` is the only way to it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __copy__(self) -> Self:
        return self

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What every service needs. A service's own settings are a subclass with more fields."""

    database_url: Annotated[
        Secret, msgspec.Meta(description="Address of the log's database, with this service's role.")
    ]
    nats_url: Annotated[str, msgspec.Meta(description="Address of NATS.")] = "nats://127.0.0.1:4222"
    nats_user: Annotated[str, msgspec.Meta(description="This service's NATS user; empty where NATS asks for none.")] = (
        ""
    )
    nats_password: Annotated[Secret, msgspec.Meta(description="Password of that user.")] = Secret("")
    data: Annotated[Path, msgspec.Meta(description="Folder for what is kept in files.")] = Path(".gonogo")
    status_host: Annotated[str, msgspec.Meta(description="Where health and metrics listen.")] = "127.0.0.1"
    status_port: Annotated[
        int, msgspec.Meta(ge=0, le=65_535, description="Port of health and metrics; 0 takes a free one.")
    ] = 0
    status_file: Annotated[
        Path | None, msgspec.Meta(description="File into which the chosen status port is written.")
    ] = None
    start_file: Annotated[
        Path | None, msgspec.Meta(description="Wait until this file exists before connecting to any server.")
    ] = None
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], msgspec.Meta(description="The least severe level that is logged.")
    ] = "info"
    drain_seconds: Annotated[
        float, msgspec.Meta(ge=0, description="How long work in flight may take to finish after SIGTERM, in seconds.")
    ] = 10.0
    uvloop: Annotated[bool, msgspec.Meta(description="Use uvloop where it is installed.")] = True
    otel_exporter_otlp_endpoint: Annotated[
        str,
        msgspec.Meta(
            description="Collector that takes traces by OTLP over HTTP, such as http://127.0.0.1:4318; empty: no traces."
        ),
    ] = ""


class Row(msgspec.Struct, frozen=True):
    """One line of the table of settings: the variable, its default as text ("required" if none), what it means."""

    name: str
    default: str
    description: str


S = TypeVar("S", bound=msgspec.Struct)


def load(settings_type: type[S], environ: Mapping[str, str]) -> S:
    """Reads every field. Raises Misconfigured that names all wrong and missing variables at once, never a secret's value."""
    values: dict[str, Any] = {}
    faults: list[str] = []
    for field in msgspec.structs.fields(settings_type):
        try:
            text = _text_of(field.name, _is_secret(field.type), environ)
            if text is not None:
                values[field.name] = _convert(text, field.type)
            elif field.required:
                faults.append(f"{variable(field.name)} is missing")
        except ValueError as error:
            faults.append(f"{variable(field.name)}: {error}")
    if faults:
        raise Misconfigured("; ".join(faults))
    return settings_type(**values)


def describe(settings_type: type[msgspec.Struct]) -> Iterator[Row]:
    """A row per field, in the order of declaration: what the README's table must say."""
    for field in msgspec.structs.fields(settings_type):
        default = "required" if field.required else _shown(field.default)
        yield Row(variable(field.name), default, _description(field.type))


def variable(field: str) -> str:
    """`GONOGO_NATS_URL` of `nats_url`."""
    return field.upper() if field.startswith(_STANDARD) else PREFIX + field.upper()


def _text_of(field: str, secret: bool, environ: Mapping[str, str]) -> str | None:
    name = variable(field)
    text = environ.get(name) or None
    file = environ.get(f"{name}_FILE") if secret else None
    if not file:
        return text
    if text is not None:
        raise ValueError(f"set it or {name}_FILE, not both")
    try:
        return Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text"
        raise ValueError(f"the file {file} of {name}_FILE cannot be read ({reason})") from None


def _convert(text: str, wanted: Any) -> Any:
    bare = _bare(wanted)
    if _is_secret(wanted):
        return Secret(text)
    if bare is Path or Path in get_args(bare):
        return Path(text)
    if get_origin(bare) is tuple:
        given: str | list[str] = [part.strip() for part in text.split(",") if part.strip()]
    else:
        given = text
    try:
        return msgspec.convert(given, wanted, strict=False)
    except msgspec.ValidationError as error:
        why = "; ".join(in_words(given, wanted)) or str(error)
        raise ValueError(f"{why} (given {text!r})") from None


def _is_secret(wanted: Any) -> bool:
    bare = _bare(wanted)
    return bare is Secret or Secret in get_args(bare)


def _bare(wanted: Any) -> Any:
    return get_args(wanted)[0] if get_origin(wanted) is Annotated else wanted


def _description(wanted: Any) -> str:
    """What the setting means, and which words it may be."""
    notes = get_args(wanted)[1:] if get_origin(wanted) is Annotated else ()
    said = next((note.description for note in notes if isinstance(note, msgspec.Meta) and note.description), "")
    words = get_args(_bare(wanted)) if get_origin(_bare(wanted)) is Literal else ()
    return f"{said} One of {', '.join(words)}." if words else said


def _shown(default: Any) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return ",".join(str(one) for one in default)
    return "" if default is None or default == Secret("") else str(default)
