"""The bus: commands and wake-ups between services (`Bus`), and the mirror of the log for everybody else (`Mirror`).

The only package that knows NATS and FastStream. Nothing here is the truth; what the bus loses is sent or read again.
"""

from infra.bus.bus import Bus

__all__ = ["Bus"]
