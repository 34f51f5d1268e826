"""Hands letters to a mail server: one SMTP conversation for several, and what came of each in a few words.

Never raises for what the server or the net does: that is an outcome. It refuses to send a password without encryption,
and to build a message whose headers could be broken out of.
"""

import asyncio
import ssl
from collections.abc import Sequence
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, parseaddr
from pathlib import Path

import aiosmtplib
import msgspec
import structlog

from contracts.moments import moment
from infra.errors import Misconfigured
from services.approval.config import Settings
from services.approval.decider.letters import Handed
from services.approval.views import Rendered, line

log = structlog.get_logger(__name__)

BEGIN_SECONDS = 60.0
"""Letters are begun so long after the first; with the time limit of each step, this bounds how long an attempt takes."""


class Addressed(msgspec.Struct, frozen=True):
    """A letter for one address. `written_at` in Unix microseconds; the same letter is the same bytes at every attempt."""

    message_id: str
    address: str
    name: str
    written_at: int
    rendered: Rendered


class Mailer:
    """Sends letters. Raises Misconfigured when the settings make no sense."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sender = _sender(settings.smtp_from)
        if settings.smtp_user and settings.smtp_tls == "none":
            raise Misconfigured("GONOGO_SMTP_TLS: a password is never sent in the clear; take starttls or tls.")
        self._tls = None if settings.smtp_tls == "none" else _context(settings.smtp_ca_file)

    @property
    def domain(self) -> str:
        """The right side of our Message-IDs."""
        return self._sender.domain

    async def send(self, letters: Sequence[Addressed]) -> list[Handed]:
        """The outcome of each, in order. Raises nothing but cancellation."""
        latest = asyncio.get_running_loop().time() + BEGIN_SECONDS
        client = aiosmtplib.SMTP(
            hostname=self._settings.smtp_host,
            port=self._settings.smtp_port,
            use_tls=self._settings.smtp_tls == "tls",
            start_tls=self._settings.smtp_tls == "starttls",
            tls_context=self._tls,
            username=self._settings.smtp_user or None,
            password=self._settings.smtp_password.reveal() or None,
            timeout=self._settings.smtp_timeout_seconds,
        )
        try:
            await client.connect()
        except Exception as error:
            return [_failed(error)] * len(letters)
        try:
            return [await self._one(client, letter, latest) for letter in letters]
        finally:
            await _quit(client)

    async def _one(self, client: aiosmtplib.SMTP, letter: Addressed, latest: float) -> Handed:
        if asyncio.get_running_loop().time() > latest:
            return Handed("timeout", "the mail server is too slow; not begun")
        try:
            message = _message(letter, self._sender)
            await client.send_message(message, sender=self._sender.addr_spec, recipients=[letter.address])
        except Exception as error:
            return _failed(error)
        return Handed()


async def _quit(client: aiosmtplib.SMTP) -> None:
    try:
        await client.quit()
    except Exception as error:
        client.close()
        log.debug("smtp_quit_failed", error=type(error).__name__)


def _message(letter: Addressed, sender: Address) -> EmailMessage:
    """RFC 5322, with a text and an HTML part. The library refuses line ends in headers; names are made one line before."""
    message = EmailMessage(policy=SMTP_POLICY)
    message["From"] = sender
    message["To"] = Address(display_name=line(letter.name, 100), addr_spec=letter.address)
    message["Subject"] = letter.rendered.subject
    message["Message-ID"] = letter.message_id
    message["Date"] = format_datetime(moment(letter.written_at))
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answering machine answers
    message.set_content(letter.rendered.text)
    message.add_alternative(letter.rendered.html, subtype="html")
    return message


def _failed(error: Exception) -> Handed:
    """The class of a failure to send. A 5xx about the address or the letter is final (RFC 5321 4.2.1)."""
    match error:
        case aiosmtplib.SMTPRecipientsRefused():
            first = error.recipients[0]
            return Handed("recipient", _said(first.code, first.message), final=first.code >= 500)
        case aiosmtplib.SMTPAuthenticationError():
            return Handed("login", f"the mail server refused our login ({error.code})")
        case aiosmtplib.SMTPSenderRefused():
            return Handed("sender", _said(error.code, error.message))
        case aiosmtplib.SMTPTimeoutError() | TimeoutError():
            return Handed("timeout", "no answer in time")
        case aiosmtplib.SMTPDataError():
            return Handed("refused", _said(error.code, error.message), final=error.code >= 500)
        case aiosmtplib.SMTPResponseException():
            return Handed("other", _said(error.code, error.message))
        case ssl.SSLError():
            return Handed("tls", "no trusted connection")
        case aiosmtplib.SMTPException() | OSError():
            tls = isinstance(error.__cause__, ssl.SSLError)
            return Handed("tls", "no trusted connection") if tls else Handed("connection", type(error).__name__)
        case ValueError():
            return Handed("other", "the message cannot be built", final=True)
        case _:
            log.error("letter_not_sent", error=type(error).__name__)
            return Handed("other", type(error).__name__)


def _said(code: int, message: str) -> str:
    return line(f"{code} {message}", 200)


def _context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context()
        if ca_file is not None:
            context.load_verify_locations(ca_file)
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(f"GONOGO_SMTP_CA_FILE cannot be used: {error}") from None
    return context


def _sender(text: str) -> Address:
    name, address = parseaddr(text)
    try:
        found = Address(display_name=name, addr_spec=address)
    except (ValueError, IndexError):
        found = Address()
    if not found.username or not found.domain:
        raise Misconfigured("GONOGO_SMTP_FROM must be an address, such as GoNoGo <gonogo@example.org>.")
    return found
