"""How a command ended, as a number: the only table of it, for the help, the README and the code.

It refuses fine shades: a script branches on these, a person reads the sentence on stderr.
"""

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes. They are part of the command line's promise and never change their meaning."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    AWAY = 3
    NOT_ALLOWED = 4
    NOT_FOUND = 5
    STALE = 6
    DIFFERS = 7
    FAULT = 70
    INTERRUPTED = 130


EXIT_CODES: dict[Exit, str] = {
    Exit.OK: "done",
    Exit.REFUSED: "refused by the rules, or a check found something",
    Exit.USAGE: "the command line, a file or a setting is wrong",
    Exit.AWAY: "the gateway, or a server behind it, does not answer",
    Exit.NOT_ALLOWED: "not authenticated, or not allowed",
    Exit.NOT_FOUND: "there is no such thing",
    Exit.STALE: "the plan has changed since it was read, or a version must be given",
    Exit.DIFFERS: "a dry run found something to change",
    Exit.FAULT: "a fault of gonogo itself",
    Exit.INTERRUPTED: "interrupted by Ctrl-C",
}


def exit_of_status(status: int) -> Exit:
    """The exit code for an HTTP status of the gateway."""
    match status:
        case 401 | 403:
            return Exit.NOT_ALLOWED
        case 404:
            return Exit.NOT_FOUND
        case 412 | 428:
            return Exit.STALE
        case 429:
            return Exit.AWAY
        case _ if status >= 500:
            return Exit.AWAY
        case _ if status >= 400:
            return Exit.REFUSED
        case _:
            return Exit.OK
