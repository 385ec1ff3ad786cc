"""Free ports of the loopback interface."""

from __future__ import annotations

import random
import socket

HOST = "127.0.0.1"
# Below the range from which the kernel takes ports for outgoing connections: while a part is down, no
# client that keeps dialling its port can be given that very port and so connect to itself.
_RANGE = range(12_000, 32_000)
_TRIES = 200


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on at this moment."""
    for port in random.SystemRandom().sample(_RANGE, _TRIES):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port among {_TRIES} tried between {_RANGE.start} and {_RANGE.stop}")
