"""Free ports on loopback.

They are taken from below the kernel's range for outgoing connections: inside that range a client that retries while the
server is down can be given the server's own port, connects to itself, and the server never gets its port back.
"""

import random
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
_LOWEST = 15_000


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_port(avoid: tuple[int, ...] = ()) -> int:
    """A port that is free now. It may be taken before it is used: the caller retries."""
    candidates = range(_LOWEST, _outgoing_start())
    while True:
        port = random.choice(candidates)  # noqa: S311 - no secret, only a spread
        if port not in avoid and is_free(port):
            return port


def remembered_port(file: Path) -> int:
    """The port of the last start if it is still free, else a new one. Written back by `remember_port`."""
    try:
        port = int(file.read_text())
    except (FileNotFoundError, ValueError):
        return free_port()
    return port if is_free(port) else free_port()


def remember_port(file: Path, port: int) -> None:
    file.write_text(f"{port}\n")


def _outgoing_start() -> int:
    try:
        start = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError):
        start = 32_768
    return max(start, _LOWEST + 1_000)
