"""`yupan.alert.v1` from its beginning on: what fires now is told by all that was ever told (#50).

No member of a group: each worker reads all of it. The group `yupan-alerts` only keeps up to where all was pushed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.codec import Codec
from schemas.errors import PartError, RecordError
from sinks.kafka import ANSWER_S, client_config, consumer_settings, no_answer

TOPIC = "yupan.alert.v1"
GROUP = "yupan-alerts"
_AT_ONCE = 500
_AWAY = (KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._RESOLVE)


class Told(NamedTuple):
    """A record that was read."""

    record: Mapping[str, Any] | None
    """None: it cannot be used; `reason` says why."""
    reason: str
    broker_ms: int
    is_new: bool
    """Whether it is behind all that was pushed before this worker began."""


class AlertTopic:
    """One reader. Raises `PartError` when the broker does not answer at the start; later it is waited for."""

    def __init__(self, bootstrap: str, config: Mapping[str, str], codec: Codec) -> None:
        self._codec = codec
        self.up = True
        """Whether the broker answers."""
        more: dict[str, Any] = {
            "group.id": GROUP,
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "error_cb": self._failed,
            **consumer_settings(config),
        }
        self._consumer = Consumer(client_config(bootstrap, config, **more))
        try:
            known = self._consumer.list_topics(TOPIC, timeout=ANSWER_S).topics[TOPIC]
            if known.error is not None:
                raise PartError(f"{TOPIC}: {known.error.str()}; `yupan topics apply` makes it")
            places = [TopicPartition(TOPIC, number) for number in known.partitions]
            committed = self._consumer.committed(places, timeout=ANSWER_S)
        except KafkaException as error:
            self._consumer.close()
            raise no_answer(bootstrap, error) from None
        except PartError:
            self._consumer.close()
            raise
        self._pushed = {place.partition: place.offset for place in committed}
        self._next: dict[int, int] = {}
        self._unread = set(self._pushed)
        """Partitions whose end was not reached yet."""
        self._consumer.assign([TopicPartition(TOPIC, number, OFFSET_BEGINNING) for number in self._pushed])

    @property
    def partitions(self) -> int:
        """How many it reads: all."""
        return len(self._pushed)

    @property
    def caught_up(self) -> bool:
        """Whether all that was there at the start is read: before that nobody knows what fires."""
        return not self._unread

    def read(self, seconds: float) -> Iterator[Told]:
        """What has come, as soon as something has, else after so many seconds."""
        for message in self._consumer.consume(_AT_ONCE, seconds):
            failure = message.error()
            if failure is None:
                self.up = True
                self._next[cast(int, message.partition())] = cast(int, message.offset()) + 1
                yield self._told(message)
            elif failure.code() == KafkaError._PARTITION_EOF:
                self.up = True
                self._next[cast(int, message.partition())] = cast(int, message.offset())  # behind marks of transactions
                self._unread.discard(cast(int, message.partition()))

    def behind(self) -> Mapping[int, int]:
        """How many records each partition holds that were not read."""
        ends = {n: self._consumer.get_watermark_offsets(TopicPartition(TOPIC, n), cached=True) for n in self._pushed}
        return {n: max(0, end[1] - self._next.get(n, end[1])) for n, end in ends.items() if end is not None}

    def commit(self) -> None:
        """All that was read is pushed. What is not committed because the broker is away is pushed once more."""
        offsets = [TopicPartition(TOPIC, number, offset) for number, offset in self._next.items()]
        if offsets:
            self._consumer.commit(offsets=offsets, asynchronous=True)

    def close(self) -> None:
        """Commit and disconnect."""
        self._consumer.close()

    def _told(self, message: Message) -> Told:
        pushed = self._pushed[cast(int, message.partition())]
        broker_ms, is_new = message.timestamp()[1], cast(int, message.offset()) >= pushed
        try:
            return Told(self._codec.decode(message.value() or b""), "", broker_ms, is_new)
        except RecordError as error:
            return Told(None, error.reason, broker_ms, is_new)

    def _failed(self, error: KafkaError) -> None:
        if error.code() in _AWAY:
            self.up = False
