"""Reading topics as they stand now, each partition in the order in which the broker took the records.

Nothing is left behind on the broker: no group is joined, no offset committed. Little is held in memory: what has been
read ahead of a partition that lags waits for it, and a partition with much waiting is not read on meanwhile.
"""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.errors import PartError
from sinks.dead_letters import SETTLED_S
from sinks.groups import Groups, Place
from sinks.kafka import ANSWER_S, client_config, consumer_settings, no_answer

AHEAD = 4_000
"""Records of a partition that wait before it is read no further."""
AHEAD_BYTES = 1_500_000
"""The same in bytes of their values."""
_AT_ONCE = 500
_POLL_S = 0.2
_SETTINGS = {
    "group.id": "yupan-reader",  # librdkafka asks for one; nothing joins it
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "isolation.level": "read_committed",
    "fetch.wait.max.ms": 50,
    "fetch.message.max.bytes": 500_000,
    "queued.max.messages.kbytes": 32_768,
}


class _Ahead:
    """What was read of a partition and not handed over yet."""

    __slots__ = ("bytes", "end", "paused", "records")

    def __init__(self, end: int) -> None:
        self.records: deque[Message] = deque()
        self.bytes = 0
        self.end = end
        self.paused = False

    def is_full(self) -> bool:
        return len(self.records) >= AHEAD or self.bytes >= AHEAD_BYTES

    def is_low(self) -> bool:
        return len(self.records) <= AHEAD // 4 and self.bytes <= AHEAD_BYTES // 4

    def add(self, message: Message) -> None:
        self.records.append(message)
        self.bytes += len(message.value() or b"")

    def pop(self) -> Message:
        message = self.records.popleft()
        self.bytes -= len(message.value() or b"")
        return message


class Merged:
    """`topics` up to their present ends: those of one partition merged by broker time, then the topic named first.

    Partitions keep in step by what `when` says of their records (ms), or by broker time, too: what was written in bulk
    came partition by partition, whatever happened when.

    A context manager. Raises `PartError` when the broker does not answer or a topic is missing.
    """

    def __init__(
        self,
        bootstrap: str,
        config: Mapping[str, str],
        topics: Sequence[str],
        when: Callable[[Message], int] | None = None,
    ) -> None:
        self._bootstrap = bootstrap
        self._when = when or _arrived
        self._rank = {topic: number for number, topic in enumerate(topics)}
        settings = {**client_config(bootstrap, config, **_SETTINGS), **consumer_settings(config)}
        self._consumer = Consumer({**settings, "enable.partition.eof": True, "isolation.level": "read_committed"})
        try:
            places = self._places(topics)
            self.partitions = max(number for _, number in places) + 1
            """How many the topics have, which is the same for all."""
            ends = Groups(bootstrap, config).ends(places)
            self.begins = {place: self._begin(place) for place in places}
            """The first offset that is still there, of each partition."""
        except BaseException:
            self._consumer.close()
            raise
        self.total = sum(max(0, ends[place] - begin) for place, begin in self.begins.items())
        """How many records there are at most."""
        self._ahead = {place: _Ahead(ends[place]) for place in places if ends[place] > self.begins[place]}
        self._open = set(self._ahead)
        """Partitions whose end was not read yet."""
        self._learnt: set[Place] = set()
        """Partitions of which something has come."""
        self._stuck: set[Place] = set()
        self._heads: dict[int, list[tuple[int, int, Place]]] = {number: [] for number in range(self.partitions)}
        """Of each partition the first of each topic: broker time, rank, place."""
        self._clocks = dict.fromkeys(self._heads, 0)
        """How far each partition has come."""
        self._steps: list[tuple[int, int]] = []
        """When each partition takes its next step, and its number; an entry that is not `_next` says nothing."""
        self._next: dict[int, int] = {}
        self._heard = 0.0

    def __enter__(self) -> Merged:
        return self

    def __exit__(self, *exc: object) -> None:
        self._consumer.close()

    def read(self) -> Iterator[Message]:
        """All records, once."""
        self._consumer.assign([TopicPartition(*place, OFFSET_BEGINNING) for place in self._ahead])
        self._heard = time.monotonic()
        empty = set(self._open)
        while True:
            while awaited := empty & self._open:
                empty -= self._fetch(awaited)
            empty.clear()
            place = self._choose()
            if place is None:
                return
            ahead = self._ahead[place]
            yield ahead.pop()
            if ahead.records:
                self._offer(place)
            else:
                empty.add(place)
                self._step(place[1])
            if ahead.paused and place in self._open and ahead.is_low():
                self._consumer.resume([TopicPartition(*place)])
                ahead.paused = False

    def is_first(self, message: Message) -> bool:
        """Whether a record is the first that is still there of its partition."""
        return self.begins[cast(Place, (message.topic(), message.partition()))] == message.offset()

    def _offer(self, place: Place) -> None:
        at = _arrived(self._ahead[place].records[0])
        heapq.heappush(self._heads[place[1]], (at, self._rank[place[0]], place))
        self._step(place[1])

    def _step(self, number: int) -> None:
        """Say when a partition takes its next step, if it has one."""
        heads = self._heads[number]
        if heads:
            at = max(self._clocks[number], self._when(self._ahead[heads[0][2]].records[0]))
            self._next[number] = at
            heapq.heappush(self._steps, (at, number))
        else:
            self._next.pop(number, None)

    def _choose(self) -> Place | None:
        """Whose turn it is."""
        while self._steps:
            at, number = heapq.heappop(self._steps)
            if self._next.get(number) == at:
                del self._next[number]
                self._clocks[number] = at
                return heapq.heappop(self._heads[number])[2]
        return None

    def _fetch(self, awaited: set[Place]) -> set[Place]:
        """Read some more; returns the partitions of which something waits now."""
        first = self._consumer.poll(_POLL_S)
        if first is None:
            self._check_silence(awaited)
            return set()
        self._heard = time.monotonic()
        fresh: set[Place] = set()
        for message in (first, *self._consumer.consume(_AT_ONCE, 0)):
            place = cast(Place, (message.topic(), message.partition()))
            if place in self._open and self._take(place, message):
                fresh.add(place)
        for place in fresh:
            ahead = self._ahead[place]
            if not ahead.paused and ahead.is_full():
                self._consumer.pause([TopicPartition(*place)])
                ahead.paused = True
        return fresh

    def _take(self, place: Place, message: Message) -> bool:
        """Keep a record until its turn; whether there is one."""
        error, ahead, offset = message.error(), self._ahead[place], cast(int, message.offset())
        if place not in self._learnt:
            self._learn_end(place)
        if error is not None:
            if error.code() != KafkaError._PARTITION_EOF:
                raise PartError(f"YUPAN_KAFKA={self._bootstrap}: reading {place[0]} failed ({error.str()})")
            self._stuck.add(place)
            if offset >= ahead.end:
                self._close(place)
            return False
        self._stuck.discard(place)
        if offset < ahead.end:
            ahead.add(message)
            if len(ahead.records) == 1:
                self._offer(place)
        if offset >= ahead.end - 1:
            self._close(place)
        return bool(ahead.records)

    def _learn_end(self, place: Place) -> None:
        """Some brokers tell less than the end when asked (Tansu), and all of it with what they give."""
        self._learnt.add(place)
        known = self._consumer.get_watermark_offsets(TopicPartition(*place), cached=True)
        if known is not None:
            self._ahead[place].end = max(self._ahead[place].end, known[1])

    def _close(self, place: Place) -> None:
        self._open.discard(place)
        self._consumer.pause([TopicPartition(*place)])

    def _check_silence(self, awaited: set[Place]) -> None:
        """Before an end there may be a transaction that is open: it is waited for, but not for ever."""
        silent = time.monotonic() - self._heard
        if awaited <= self._stuck and silent > SETTLED_S:
            self._open -= awaited
        elif silent > ANSWER_S:
            raise no_answer(self._bootstrap)

    def _places(self, topics: Sequence[str]) -> list[Place]:
        places = []
        for topic in topics:
            try:
                found = self._consumer.list_topics(topic, timeout=ANSWER_S).topics[topic]
            except KafkaException as error:
                raise no_answer(self._bootstrap, error) from None
            if found.error is not None:
                raise PartError(f"{topic} does not exist on {self._bootstrap} (YUPAN_KAFKA); run `yupan topics apply`")
            places += [(topic, number) for number in sorted(found.partitions)]
        return places

    def _begin(self, place: Place) -> int:
        try:
            low: int = self._consumer.get_watermark_offsets(TopicPartition(*place), timeout=ANSWER_S)[0]
        except KafkaException as error:
            raise no_answer(self._bootstrap, error) from None
        return low


def _arrived(message: Message) -> int:
    return message.timestamp()[1]
