"""Reads what the workers send, as it comes, for whoever shows or counts it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from schemas.codec import Codec
from schemas.errors import RecordError
from sinks.kafka import client_config, consumer_settings

Received = Callable[[str, Mapping[str, Any] | None], None]
_POLL_S = 0.2


class Tail:
    """A thread that hands over every committed record of `topics`, from their beginning; a context manager.

    It joins no group, so that it takes nothing from anybody. The record is None for a tombstone and for
    what has no schema (dead letters).
    """

    def __init__(
        self,
        bootstrap: str,
        config: Mapping[str, str],
        codecs: Mapping[str, Codec],
        topics: Sequence[str],
        partitions: int,
        received: Received,
    ) -> None:
        more = {"group.id": "yupan-demo", "enable.auto.commit": False, "isolation.level": "read_committed"}
        self._consumer = Consumer({**client_config(bootstrap, config), **consumer_settings(config), **more})
        self._places = [TopicPartition(t, p, OFFSET_BEGINNING) for t in topics for p in range(partitions)]
        self._codecs = codecs
        self._received = received
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="demo-tail", daemon=True)

    def __enter__(self) -> Tail:
        self._consumer.assign(self._places)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()
        self._consumer.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            message = self._consumer.poll(_POLL_S)
            if message is not None and message.error() is None:
                topic = str(message.topic())
                self._received(topic, self._record(topic, message.value()))

    def _record(self, topic: str, value: bytes | None) -> Mapping[str, Any] | None:
        codec = self._codecs.get(topic)
        if codec is None or value is None:
            return None
        try:
            return codec.decode(value)
        except RecordError:
            return None
