"""How large things may be on their way: each step has room for what the one before it lets pass.

A plan's document comes by HTTP, travels to its service as one message, and goes into the log as one append of many
events, none of them larger than `infra.eventlog.check` allows. Everything else is far smaller and has its own limits.
"""

PLAN_BODY_BYTES = 8 * 1024 * 1024
"""A plan, a section of one, or a checklist, as it is sent by HTTP."""

APPEND_BYTES = 12 * 1024 * 1024
"""The events of one command. More than a body: cleaned text may be longer, and digests are added."""

MESSAGE_BYTES = 16 * 1024 * 1024
"""A message on the bus. The server's own `max_payload` must be no less; both configurations of ours say so."""
