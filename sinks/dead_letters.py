"""Reading the dead-letter topic: what could not be used, why, the record as it came, and what became of it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas import headers as wire
from schemas.dead_letter import DEAD_LETTER as TOPIC
from schemas.dead_letter import REPLAYED_TO, TYPE
from schemas.errors import PartError
from sinks.groups import Groups, Place
from sinks.kafka import ANSWER_S, client_config, no_answer

SETTLED_S = 3.0
"""How long to wait for transactions that are open at the topic's end."""
_POLL_S = 0.5
_STAGES = ("yupan-decide", "yupan-history")
_TO = re.compile(r"(.+)/(\d+)@(\d+)", re.ASCII).fullmatch
STATUSES = ("waiting", "replayed", "succeeded", "failed")


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
    wire: wire.Headers
    """All headers, as they lie there."""

    @property
    def reason(self) -> str:
        """The label of `schemas.errors.DEAD_LETTER_REASONS`."""
        return self.error.get("type", "unknown")

    @property
    def topic(self) -> str:
        """The topic that it came from."""
        return self.error.get("topic", "?")

    @property
    def place(self) -> str:
        """Its name for `yupan dead-letters show`: PARTITION:OFFSET."""
        return f"{self.partition}:{self.offset}"

    def bare(self) -> DeadLetter:
        """Itself without the record, for lists of many."""
        return replace(self, key=None, value=None, wire=[])

    @classmethod
    def of(cls, message: Message) -> DeadLetter:
        """A dead letter from its Kafka record."""
        headers = cast(wire.Headers, message.headers() or [])
        found = wire.read(headers)
        error = {k.removeprefix(wire.ERROR): v for k, v in found.items() if k.startswith(wire.ERROR)}
        rest = {k: v for k, v in found.items() if not k.startswith(wire.ERROR)}
        partition, offset = cast(int, message.partition()), cast(int, message.offset())
        return cls(partition, offset, message.timestamp()[1], error, rest, message.key(), message.value(), headers)


class Standing:
    """What became of the letters: from the marks, the letters of what failed once more, and where the groups stand.

    `committed` (by group) must be asked before the topic is read: an offset and the dead letter of its record are
    committed together, so a record before the offset that left no letter has succeeded.
    """

    def __init__(self, committed: Mapping[str, Mapping[Place, int]]) -> None:
        self._committed = committed
        self._written: dict[str, tuple[Place, int]] = {}
        self._failed: set[str] = set()
        self.whole = True
        """Whether all was seen; else nothing is said to have succeeded."""

    def note(self, letter: DeadLetter) -> None:
        """Take in a record of the topic, a letter or a mark."""
        place = letter.headers.get(wire.REPLAYED)
        if place is None:
            return
        if not is_mark(letter):
            self._failed.add(place)
        elif to := _TO(letter.headers[REPLAYED_TO]):
            self._written[place] = ((to[1], int(to[2])), int(to[3]))

    def of(self, letter: DeadLetter) -> str:
        """One of `STATUSES`. `replayed`: its group has not come to it yet; `failed`: a newer letter holds it."""
        if letter.place in self._failed:
            return "failed"
        if letter.place not in self._written:
            return "waiting"
        place, offset = self._written[letter.place]
        decided = self._committed.get(letter.error.get("stage", ""), {}).get(place, 0)
        return "succeeded" if self.whole and decided > offset else "replayed"


def is_mark(letter: DeadLetter) -> bool:
    """Whether a record of the topic is no letter, but says that one was replayed."""
    return REPLAYED_TO in letter.headers and TYPE.removeprefix(wire.ERROR) not in letter.error


class DeadLetters:
    """The topic as it stands: read from its start, or from one place, to its end. Commits nothing."""

    def __init__(self, bootstrap: str, config: Mapping[str, str] | None = None) -> None:
        self._bootstrap = bootstrap
        more = {
            "group.id": "yupan-dead-letters-reader",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 50,
        }
        self._consumer = Consumer({**client_config(bootstrap, config, **more), "isolation.level": "read_committed"})
        self._groups = Groups(bootstrap, config)
        self.standing = Standing({})
        """What became of the letters, once `read` has come to its end."""

    def __enter__(self) -> DeadLetters:
        return self

    def __exit__(self, *exc: object) -> None:
        self._consumer.close()

    def read(self) -> Iterator[DeadLetter]:
        """All letters there are now, in order within a partition. Raises `PartError`."""
        partitions = self._partitions()
        standing = self.standing = Standing({stage: self._groups.committed(stage) for stage in _STAGES})
        ends = {p: end for (_, p), end in self._groups.ends([(TOPIC, p) for p in partitions]).items()}
        self._consumer.assign([TopicPartition(TOPIC, p, OFFSET_BEGINNING) for p in partitions])
        for message in self._until(ends):
            letter = DeadLetter.of(message)
            standing.note(letter)
            if not is_mark(letter):
                yield letter

    def _until(self, ends: Mapping[int, int]) -> Iterator[Message]:
        """The committed records to the end, which lies not before `ends`: those count open transactions, too."""
        to_go = {partition for partition, end in ends.items() if end > 0}
        stuck: set[int] = set()
        heard = time.monotonic()
        while to_go:
            message = self._consumer.poll(_POLL_S)
            if message is None:
                silent = time.monotonic() - heard
                if to_go <= stuck and silent > SETTLED_S:
                    self.standing.whole = False
                    return
                if silent > ANSWER_S:
                    raise no_answer(self._bootstrap)
                continue
            heard = time.monotonic()
            partition = cast(int, message.partition())
            if not self._is_end(message):
                yield message
            elif cast(int, message.offset()) >= ends[partition]:
                to_go.discard(partition)
            else:
                stuck.add(partition)

    def _is_end(self, message: Message) -> bool:
        error = message.error()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:
            raise PartError(f"YUPAN_KAFKA={self._bootstrap}: reading {TOPIC} failed ({error.str()})")
        return error is not None

    def at(self, partition: int, offset: int) -> DeadLetter | None:
        """The one at a place, None when nothing is there (any more)."""
        if partition not in self._partitions():
            return None
        low, high = self._consumer.get_watermark_offsets(TopicPartition(TOPIC, partition), timeout=ANSWER_S)
        if not low <= offset < high:
            return None
        self._consumer.assign([TopicPartition(TOPIC, partition, offset)])
        message = self._consumer.poll(ANSWER_S)
        if message is None:
            raise no_answer(self._bootstrap)
        if message.error() is not None or message.offset() != offset:
            return None
        letter = DeadLetter.of(message)
        return None if is_mark(letter) else letter

    def _partitions(self) -> list[int]:
        try:
            metadata = self._consumer.list_topics(TOPIC, timeout=ANSWER_S).topics[TOPIC]
        except KafkaException as error:
            raise no_answer(self._bootstrap, error) from None
        if metadata.error is not None:
            raise PartError(f"{TOPIC} does not exist on {self._bootstrap} (YUPAN_KAFKA); run `yupan topics apply`")
        return sorted(metadata.partitions)
