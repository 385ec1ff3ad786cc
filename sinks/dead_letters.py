"""Reading the dead-letter topic: what could not be used, why, and the record as it came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas import headers as wire
from schemas.dead_letter import DEAD_LETTER as TOPIC
from schemas.errors import PartError
from sinks.kafka import ANSWER_S, client_config, no_answer


@dataclass(frozen=True)
class DeadLetter:
    """One record of the dead-letter topic. `error` holds the `yupan.error.…` headers without their prefix."""

    partition: int
    offset: int
    at: int
    """When it was dead-lettered: the broker's time, milliseconds."""
    error: Mapping[str, str]
    headers: Mapping[str, str]
    """The original headers."""
    key: bytes | None
    value: bytes | None

    @property
    def reason(self) -> str:
        """The label of `schemas.errors.DEAD_LETTER_REASONS`."""
        return self.error.get("type", "unknown")

    @property
    def place(self) -> str:
        """Its name for `yupan dead-letters show`: PARTITION:OFFSET."""
        return f"{self.partition}:{self.offset}"

    @classmethod
    def of(cls, message: Message) -> DeadLetter:
        """A dead letter from its Kafka record."""
        found = wire.read(cast(wire.Headers, message.headers()))
        error = {k.removeprefix(wire.ERROR): v for k, v in found.items() if k.startswith(wire.ERROR)}
        rest = {k: v for k, v in found.items() if not k.startswith(wire.ERROR)}
        at = message.timestamp()[1]
        return cls(message.partition() or 0, message.offset() or 0, at, error, rest, message.key(), message.value())


class DeadLetters:
    """The topic as it stands: read from its start, or from one place, to its end. Commits nothing."""

    def __init__(self, bootstrap: str, config: Mapping[str, str] | None = None) -> None:
        self._bootstrap = bootstrap
        more = {"group.id": "yupan-dead-letters-reader", "enable.auto.commit": False, "enable.partition.eof": True}
        self._consumer = Consumer({**client_config(bootstrap, config, **more), "isolation.level": "read_committed"})

    def __enter__(self) -> DeadLetters:
        return self

    def __exit__(self, *exc: object) -> None:
        self._consumer.close()

    def read(self) -> Iterator[DeadLetter]:
        """All there are now, partition by partition in no fixed order. Raises `PartError`."""
        partitions = self._partitions()
        self._consumer.assign([TopicPartition(TOPIC, p, OFFSET_BEGINNING) for p in partitions])
        open_ends = set(partitions)
        while open_ends:
            message = self._poll()
            error = message.error()
            if error is None:
                yield DeadLetter.of(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                open_ends.discard(message.partition())
            else:
                raise PartError(f"YUPAN_KAFKA={self._bootstrap}: reading {TOPIC} failed ({error.str()})")

    def at(self, partition: int, offset: int) -> DeadLetter | None:
        """The one at a place, None when nothing is there (any more)."""
        if partition not in self._partitions():
            return None
        low, high = self._consumer.get_watermark_offsets(TopicPartition(TOPIC, partition), timeout=ANSWER_S)
        if not low <= offset < high:
            return None
        self._consumer.assign([TopicPartition(TOPIC, partition, offset)])
        message = self._poll()
        return DeadLetter.of(message) if message.error() is None and message.offset() == offset else None

    def _poll(self) -> Message:
        message = self._consumer.poll(ANSWER_S)
        if message is None:
            raise no_answer(self._bootstrap)
        return message

    def _partitions(self) -> list[int]:
        try:
            metadata = self._consumer.list_topics(TOPIC, timeout=ANSWER_S).topics[TOPIC]
        except KafkaException as error:
            raise no_answer(self._bootstrap, error) from None
        if metadata.error is not None:
            raise PartError(f"{TOPIC} does not exist on {self._bootstrap} (YUPAN_KAFKA); run `yupan topics apply`")
        return sorted(metadata.partitions)
