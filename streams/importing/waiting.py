"""Waits until what was written to Kafka is readable in ClickHouse (contracts, `yupan import`).

First `yupan-decide` must have committed past all that was written, and past what it then brought from one
partition to another; only then are its own outputs complete, so only then is it known how far `yupan-history`
has to come.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition

from schemas.catalogue import EVENTS
from schemas.errors import PartError
from sinks.history import TOPICS as HISTORY_READS
from sinks.kafka import ANSWER_S, client_config, no_answer
from streams.wording import counted

DECIDE, HISTORY = "yupan-decide", "yupan-history"
PATIENCE_S = 60.0
_STEP_S = 0.1

Offsets = Mapping[tuple[str, int], int]
"""(topic, partition) to the offset behind the last record."""
Progress = Callable[[str, int, int], None]
"""Called with the group, how many records it has committed, and how many it has to."""


class Waiting:
    """Waits for the groups of one cluster. Every method raises `PartError`."""

    def __init__(
        self,
        bootstrap: str,
        config: Mapping[str, str] | None = None,
        patience_s: float = PATIENCE_S,
        progress: Progress = lambda group, done, all_: None,
    ) -> None:
        self._bootstrap = bootstrap
        self._config = config
        self._patience_s = patience_s
        self._progress = progress

    def until_readable(self, written: Offsets) -> None:
        """Return when the events before these offsets, and all that was decided of them, are in ClickHouse."""
        if not written:
            return
        self.until_committed(DECIDE, written)
        brought = [topic for topic, event in EVENTS.items() if event.flow == "internal"]
        self.until_committed(DECIDE, self.ends(brought))  # what is decided where another key lies
        kept = {place: offset for place, offset in written.items() if place[0] in HISTORY_READS}
        outputs = [topic for topic in HISTORY_READS if EVENTS[topic].flow == "out"]
        self.until_committed(HISTORY, kept | self.ends(outputs))

    def until_committed(self, group: str, targets: Offsets) -> None:
        """Return when `group` has committed past `targets`; `patience_s` without progress is an error."""
        consumer = self._consumer(group)
        places = [TopicPartition(topic, partition) for topic, partition in targets]
        begun: dict[tuple[str, int], int] | None = None
        before, changed_at = None, time.monotonic()
        try:
            while True:
                committed = _committed(consumer, places)
                if committed is not None:
                    begun = begun or committed
                    self._report(group, begun, committed, targets)
                    if all(committed[place] >= target for place, target in targets.items()):
                        return
                if committed != before and committed is not None:
                    before, changed_at = committed, time.monotonic()
                elif time.monotonic() - changed_at > self._patience_s:
                    raise self._stalled(group, before, targets)
                time.sleep(_STEP_S)
        finally:
            consumer.close()

    def _report(self, group: str, begun: Offsets, now: Offsets, targets: Offsets) -> None:
        total = sum(max(0, target - begun[place]) for place, target in targets.items())
        to_go = sum(max(0, target - now[place]) for place, target in targets.items())
        self._progress(group, total - to_go, total)

    def _stalled(self, group: str, committed: Offsets | None, targets: Offsets) -> PartError:
        if committed is None:
            return no_answer(self._bootstrap)
        behind = {place: target - committed[place] for place, target in targets.items() if committed[place] < target}
        (topic, partition), count = max(behind.items(), key=lambda item: item[1])
        worker = f"yupan worker --role {group.removeprefix('yupan-')}"
        return PartError(
            f"the group {group} stands still: for {self._patience_s:g} s it has committed nothing, with "
            f"{counted(sum(behind.values()), 'record')} left (most in {topic}, partition {partition}: {count}). "
            f"The import itself is in Kafka; does a worker run (`{worker}`)?"
        )

    def ends(self, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        """The end of each partition, found by reading to it: some brokers' answer to the bare question falls short."""
        consumer = self._consumer("yupan-import", **{"enable.partition.eof": True})
        try:
            places = self._places(consumer, topics)
            consumer.assign([TopicPartition(topic, partition, OFFSET_END) for topic, partition in places])
            return self._read_to_end(consumer, places)
        finally:
            consumer.close()

    def _places(self, consumer: Any, topics: Iterable[str]) -> set[tuple[str, int]]:
        try:
            known = consumer.list_topics(timeout=ANSWER_S).topics
        except KafkaException as error:
            raise no_answer(self._bootstrap, error) from None
        return {(topic, partition) for topic in topics if topic in known for partition in known[topic].partitions}

    def _read_to_end(self, consumer: Any, places: set[tuple[str, int]]) -> dict[tuple[str, int], int]:
        ends: dict[tuple[str, int], int] = {}
        until = time.monotonic() + self._patience_s
        while set(ends) < places:
            if time.monotonic() > until:
                raise no_answer(self._bootstrap)
            for message in consumer.consume(1000, timeout=_STEP_S):
                if message.error() is not None and message.error().code() == KafkaError._PARTITION_EOF:
                    ends[message.topic(), message.partition()] = message.offset()
        return ends

    def _consumer(self, group: str, **more: Any) -> Any:
        # Not read_committed: what is still in a transaction counts, too. This consumer joins no group.
        return Consumer(
            client_config(
                self._bootstrap,
                self._config,
                **{"group.id": group, "enable.auto.commit": False, "isolation.level": "read_uncommitted", **more},
            )
        )


def _committed(consumer: Any, places: list[TopicPartition]) -> dict[tuple[str, int], int] | None:
    """What the group has committed (0: nothing), None while nobody answers."""
    try:
        found = consumer.committed(places, timeout=ANSWER_S)
    except KafkaException:
        return None
    return {(tp.topic, tp.partition): max(0, tp.offset) for tp in found}
