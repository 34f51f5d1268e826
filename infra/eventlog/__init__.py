"""The event log: what goes in (`Append`), what comes back (`Outcome`), and the log itself (`EventLog`)."""

from infra.eventlog.coalescer import CoalesceLimits
from infra.eventlog.errors import Malformed, Rejected, TooLarge
from infra.eventlog.log import EventLog
from infra.eventlog.model import Append, Appended, Conflict, Draft, Head, KeyReused, Outcome, Seen

__all__ = [
    "Append",
    "Appended",
    "CoalesceLimits",
    "Conflict",
    "Draft",
    "EventLog",
    "Head",
    "KeyReused",
    "Malformed",
    "Outcome",
    "Rejected",
    "Seen",
    "TooLarge",
]
