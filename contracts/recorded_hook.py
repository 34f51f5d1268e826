"""A hook as it went out, for whoever wants to send it again elsewhere."""

from contracts.http import Read


class RecordedHook(Read, frozen=True, kw_only=True):
    """`body` to the byte, in UTF-8. `headers` are those of every attempt; time and signature are made anew."""

    webhook_id: str
    event: str
    headers: dict[str, str]
    body: str
