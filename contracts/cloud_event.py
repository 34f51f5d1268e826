"""The body of a hook in the format `standard`: a CloudEvent 1.0.2 in JSON, structured mode.

Source: CloudEvents 1.0.2, JSON Event Format 1.0.2; the attribute `timestamp` repeats `time`, so that the body is also one
that Standard Webhooks 1.0.0 recommends (`type`, `timestamp`, `data`). `data` is the public form of the event, or, for the
three hooks of the reference (`hook.finish_planning.v1` and so on), its whole body field for field.
"""

from typing import Literal

import msgspec

CONTENT_TYPE = "application/cloudevents+json"
EVENT_SOURCE = "/gonogo/log"
HOOK_SOURCE = "/gonogo/hooks"


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`id` is unique within `source`. `subject` is the stream, `plan` the plan that it concerns, empty where none is.

    `sequence` is the log position as text that sorts like the number; `streamversion` the stream's version.
    """

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str
    time: str
    timestamp: str
    sequence: str
    streamversion: int
    plan: str = ""
    datacontenttype: str
    data: msgspec.Raw


def hook_type(hook: str) -> str:
    """The type of one of the three hooks: `hook.finish_planning.v1`."""
    return f"hook.{hook}.v1"
