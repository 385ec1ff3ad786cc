"""Outputs that cannot wait for the commit (screen pops): sent at once, acknowledged before the commit."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streams.engine.batch import Output
from streams.engine.config import EngineConfig
from streams.engine.outbox import too_large
from streams.engine.retry import MustAbortError, Retry, TooLargeError, is_too_large

STEP_S = 10.0


class InstantProducer:
    """A second, idempotent producer. `send` in the event loop, `acknowledged` in the committer's executor."""

    def __init__(self, config: EngineConfig, retry: Retry) -> None:
        self._conf = config.instant_producer()
        self._retry = retry
        self._producer: Producer | None = None
        self._failed: list[str] = []
        self._refused: TooLargeError | None = None

    def connect(self) -> None:
        """Connect and learn the topics ahead, so that the first pop does not wait half a second for it."""
        producer = self._connected()
        self._retry("connect", lambda: producer.list_topics(timeout=STEP_S))

    def send(self, output: Output) -> None:
        """Send now; a full buffer is waited for."""
        producer = self._connected()
        topic, value, key, headers, partition = output
        while True:
            try:
                producer.produce(topic, value, key, partition, headers=list(headers or ()))
                break
            except BufferError:
                producer.poll(0.01)
        producer.poll(0)

    def _connected(self) -> Producer:
        if self._producer is None:
            self._producer = Producer({**self._conf, "on_delivery": self._delivered})
        return self._producer

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failed.append(f"{message.topic()}: {error.str()}")
            if is_too_large(error):
                self._refused = too_large(message.topic() or "", message.key(), len(message.value() or b""))

    def acknowledged(self) -> None:
        """Wait until the broker has everything that was sent.

        Raises `MustAbortError` when something was lost, `TooLargeError` when it would be lost again.
        """
        if self._producer is None:
            return
        self._retry("pops", self._flush)
        if self._refused is not None:
            raise self._refused
        if self._failed:
            lost, self._failed = self._failed, []
            raise MustAbortError(f"not delivered: {lost[0]}")

    def close(self) -> None:
        """Disconnect."""
        self._producer = None  # its own close() would wait for a broker that is away

    def _flush(self) -> None:
        assert self._producer is not None
        if len(self._producer) and self._producer.flush(STEP_S):
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "pops are not acknowledged"))
