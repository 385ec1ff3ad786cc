"""Does a broker answer the Kafka protocol? A metadata request says so."""

from __future__ import annotations

import socket
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streams.parts.ports import HOST

_ANSWER_S = 2.0


class Probe:
    """Asks one address for its brokers; keeps its client, since making one costs more than asking."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._client: Any = None

    def brokers(self) -> int:
        """Return how many brokers the metadata names, 0 while there is no answer."""
        if self._client is None:
            if not _listens(self._port):  # a client would log its refused connections
                return 0
            self._client = AdminClient(
                {"bootstrap.servers": f"{HOST}:{self._port}", "log_level": 0, "reconnect.backoff.max.ms": 100}
            )
        try:
            return len(self._client.list_topics(timeout=_ANSWER_S).brokers)
        except KafkaException:
            return 0


def _listens(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=_ANSWER_S).close()
    except OSError:
        return False
    return True
