"""Times: aware datetimes for people, Unix microseconds for comparing. Exact both ways."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(moment: datetime) -> int:
    """Unix microseconds of an aware datetime."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def moment(at: int) -> datetime:
    """The aware datetime, in UTC, of Unix microseconds."""
    return EPOCH + timedelta(microseconds=at)


def rfc3339(at: int) -> str | None:
    """`2026-11-20T20:48:19.123456Z`; `None` for 0, which stands for "not yet"."""
    return moment(at).isoformat().replace("+00:00", "Z") if at else None
