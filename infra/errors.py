"""Failures of the system that name their own treatment. A person's mistake is `contracts.refusals.Refused`, not one of these."""


class Unavailable(Exception):
    """A server that we need does not answer. Nothing is known to be stored; the same request may be sent again."""

    def __init__(self, what: str, retry_after_seconds: float = 1.0) -> None:
        super().__init__(f"{what} is not available")
        self.what = what
        self.retry_after_seconds = retry_after_seconds


class Corrupt(Exception):
    """The log breaks a promise that it must keep (a hole, a wrong hash). Nobody may go on by guessing."""


class Misconfigured(Exception):
    """A setting, a folder or a port is wrong. The text is one sentence for the person who starts the process."""
