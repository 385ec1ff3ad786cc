"""Events of ours onto Kafka: what `publish`, `import` and `simulate` write through.

Idempotent, acknowledged by all replicas, partitioned as Java does. At least once as a whole: what is
published twice has the same id and is recognised.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.codec import Codec
from schemas.errors import PartError, RecordError
from schemas.headers import Headers, cloud_event
from schemas.partition import partition_of
from schemas.topics import MAX_MESSAGE, MAX_VALUE
from sinks.kafka import ANSWER_S, client_config, no_answer

GIVE_UP_MS = 30_000
"""How long a record may wait for its acknowledgement."""
_POLL_EVERY = 500

SETTINGS: Mapping[str, Any] = {
    "partitioner": "murmur2_random",
    "enable.idempotence": True,
    "acks": "all",
    "linger.ms": 10,
    "batch.size": 1_000_000,
    "queue.buffering.max.messages": 200_000,
    "queue.buffering.max.kbytes": 131_072,
    "message.max.bytes": MAX_MESSAGE,
    "message.timeout.ms": GIVE_UP_MS,
}


class EventProducer:
    """Publishes the records of `codecs`' topics. Not for several threads at once."""

    def __init__(self, bootstrap: str, codecs: Mapping[str, Codec], config: Mapping[str, str] | None = None) -> None:
        self._bootstrap = bootstrap
        self._codecs = codecs
        self._producer = Producer(client_config(bootstrap, config, **SETTINGS))
        self._partitions: dict[str, int] = {}
        self._failed: KafkaError | None = None
        self._handed = 0
        self.written: dict[tuple[str, int], int] = {}
        """(topic, partition) to the offset of the last record that the broker acknowledged."""

    def publish(
        self,
        topic: str,
        record: Mapping[str, Any],
        *,
        event_id: str | None = None,
        source: str | None = None,
        key: str | None = None,
        traceparent: str | None = None,
    ) -> None:
        """Hand over one valid record; `key` where it differs from the record's own (phases of a call).

        Without `event_id` the id is a hash of the content, without `source` the record's system or channel.
        Raises `RecordError` when it does not fit the schema or is too large, `PartError` when the topic is
        missing, the broker does not answer, or it refused an earlier record.
        """
        event = self._codecs[topic].event
        value = self.encode(topic, record)
        headers = cloud_event(
            topic,
            event_id or event.content_id(record),
            source or event.source_of(record),
            record["occurred_at"],
            traceparent,
        )
        name = key if key is not None else event.key(record)
        split = None if event.partition_key is None else event.partition_key(record)
        partition = None if split is None else partition_of(split.encode(), self.partitions(topic))
        self.send(topic, value, None if name is None else name.encode(), headers, partition)

    def encode(self, topic: str, record: Mapping[str, Any]) -> bytes:
        """The record's value on the wire. Raises `RecordError` when it does not fit the schema or is too large."""
        value = self._codecs[topic].encode(record)
        if len(value) > MAX_VALUE:
            raise RecordError("too_large", f"{len(value)} bytes, at most {MAX_VALUE} are read")
        return value

    def send(
        self, topic: str, value: bytes | None, key: bytes | None, headers: Headers, partition: int | None = None
    ) -> None:
        """Hand over bytes as they are; without `partition` murmur2 of the key decides. Raises `PartError`."""
        self.partitions(topic)
        more: dict[str, Any] = {} if partition is None else {"partition": partition}
        pairs: Any = headers
        while True:
            try:
                self._producer.produce(topic, value, key, headers=pairs, on_delivery=self._delivered, **more)
                break
            except BufferError:  # the broker is slower than we are
                self._producer.poll(0.1)
            except KafkaException as error:
                raise self._refused(error.args[0]) from None
        self._handed += 1
        if self._handed % _POLL_EVERY == 0:
            self._producer.poll(0)
        if self._failed is not None:
            raise self._refused(self._failed)

    def flush(self) -> Mapping[tuple[str, int], int]:
        """Wait until all is acknowledged; returns `written`. Raises `PartError` when something was not."""
        while self._producer.flush(0.5) and self._failed is None:
            pass
        if self._failed is not None:
            raise self._refused(self._failed)
        return self.written

    def partitions(self, topic: str) -> int:
        """How many partitions `topic` has. Raises `PartError` when it is missing or the broker does not answer."""
        count = self._partitions.get(topic)
        if count is None:
            self._learn_topics()
            count = self._partitions.get(topic)
            if count is None:
                raise PartError(f"{topic} does not exist on {self._bootstrap} (YUPAN_KAFKA); run `yupan topics apply`")
        return count

    def _learn_topics(self) -> None:
        try:
            topics = self._producer.list_topics(timeout=ANSWER_S).topics
        except KafkaException as error:
            raise no_answer(self._bootstrap, error) from None
        self._partitions = {name: len(found.partitions) for name, found in topics.items() if found.error is None}

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failed = self._failed or error
            return
        place: Any = (message.topic(), message.partition())
        self.written[place] = message.offset() or 0

    def _refused(self, error: KafkaError) -> PartError:
        return PartError(f"YUPAN_KAFKA={self._bootstrap}: the broker did not take a record ({error.str()})")
