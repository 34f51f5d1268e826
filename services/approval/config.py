"""Settings of approval: those of every service, and how letters go out."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from infra.config import Secret
from infra.config import Settings as Shared


class Settings(Shared, frozen=True, kw_only=True):
    """See the README's table."""

    smtp_host: Annotated[str, Meta(description="Mail server for letters to approvers; empty: none are sent.")] = ""
    smtp_port: Annotated[int, Meta(ge=1, le=65_535, description="Its port.")] = 587
    smtp_tls: Annotated[
        Literal["starttls", "tls", "none"], Meta(description="Encryption after a greeting, from the start, or none.")
    ] = "starttls"
    smtp_ca_file: Annotated[
        Path | None, Meta(description="Authorities to trust beside the system's, as a PEM file.")
    ] = None
    smtp_user: Annotated[str, Meta(description="Login at the mail server; empty: none.")] = ""
    smtp_password: Annotated[Secret, Meta(description="Password of that login.")] = Secret("")
    smtp_from: Annotated[str, Meta(description="Sender of letters, such as GoNoGo <gonogo@example.org>.")] = ""
    smtp_timeout_seconds: Annotated[
        float, Meta(gt=0, le=300, description="How long the mail server may take for one step, in seconds.")
    ] = 30.0
    smtp_schedule_seconds: Annotated[
        tuple[Annotated[float, Meta(ge=0)], ...],
        Meta(description="Pauses between the tries of a letter, in seconds, by commas; then it is given up."),
    ] = (60, 300, 1_800, 7_200, 21_600)
    public_url: Annotated[
        str,
        Meta(
            pattern=r"^https?://[^\s<>\"]+$(?!\n)",
            title="an address such as https://gonogo.example.com",
            description="Our own address for people, put into letters.",
        ),
    ] = "http://127.0.0.1:8640"
