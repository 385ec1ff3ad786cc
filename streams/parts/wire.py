"""Does a broker answer the Kafka protocol? A metadata request to this very address says so.

A client would not do: it learns the other brokers of a cluster and asks those, too.
"""

from __future__ import annotations

import socket
import struct

from streams.parts.ports import HOST

_ANSWER_S = 2.0
# Metadata, version 1: API key, version, correlation id, client id, no topics.
_REQUEST = struct.pack(">hhih5si", 3, 1, 7, 5, b"yupan", 0)


def live_brokers(port: int) -> int:
    """Return how many live brokers the broker at a loopback port names, 0 when it does not answer."""
    try:
        with socket.create_connection((HOST, port), timeout=_ANSWER_S) as connection:
            connection.sendall(struct.pack(">i", len(_REQUEST)) + _REQUEST)
            answer = connection.makefile("rb").read(12)
    except OSError:
        return 0
    if len(answer) < 12:
        return 0
    _size, _correlation, brokers = struct.unpack(">iii", answer)
    return int(brokers)
