"""Writing dead letters back to the topics that they came from, each with its mark on the dead-letter topic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from schemas.dead_letter import DEAD_LETTER, mark, revived
from schemas.errors import PartError
from sinks.dead_letters import DeadLetter
from sinks.kafka import ANSWER_S, client_config, no_answer
from sinks.producer import SETTINGS

AT_ONCE = 500
"""Letters of a transaction; its readers wait for its end."""
AT_ONCE_BYTES = 8_000_000
ABANDONED_MS = 10_000
"""After which the broker ends the transaction of a replay that was killed: until then it holds its topics' readers."""
_FENCED = (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED)


class Replayer:
    """Replays letters, some at a time: records and marks together, or none of them. One replay runs at a time.

    Where `transactional` is false (brokers without sound transactions) the marks follow the records: a replay that is
    killed in between replays those again.
    """

    def __init__(self, bootstrap: str, config: Mapping[str, str] | None = None, *, transactional: bool = True) -> None:
        more: dict[str, Any] = dict(SETTINGS)
        if transactional:
            times = {"transaction.timeout.ms": ABANDONED_MS, "message.timeout.ms": ABANDONED_MS}
            more |= {"transactional.id": "yupan-dead-letters-replay", **times}
        self._bootstrap = bootstrap
        self._transactional = transactional
        self._counts: dict[str, int] = {}
        self._failed: KafkaError | None = None
        self._producer = Producer(client_config(bootstrap, config, error_cb=self._went_wrong, **more))

    def __enter__(self) -> Replayer:
        """Ends another replay that is under way. Raises `PartError`."""
        try:
            if self._transactional:
                self._producer.init_transactions(3 * ANSWER_S)
            topics = self._producer.list_topics(timeout=ANSWER_S).topics
        except KafkaException as error:
            raise no_answer(self._bootstrap, error) from None
        self._counts = {name: len(found.partitions) for name, found in topics.items() if found.error is None}
        return self

    def __exit__(self, *exc: object) -> None:
        self._producer.purge()

    def replay(self, letters: Iterable[DeadLetter], done: Callable[[int], None]) -> int:
        """Write the letters back; `done` is told how many are. Returns how many. Raises `PartError`."""
        count = 0
        for some in _portions(letters):
            try:
                self._write(some)
            except BaseException as error:
                self._give_up()
                if isinstance(error, KafkaException):
                    raise self._refused(error.args[0]) from None
                raise
            count += len(some)
            done(count)
        return count

    def _write(self, letters: list[DeadLetter]) -> None:
        if self._transactional:
            self._producer.begin_transaction()
        written: dict[str, tuple[int, int]] = {}
        for letter in letters:
            headers = revived(letter.wire, letter.place)
            self._send(letter.topic, letter.value, letter.key, headers, self._home(letter), (letter.place, written))
        self._flush()
        for letter in letters:
            made = mark(letter.place, letter.topic, *written[letter.place])
            self._send(DEAD_LETTER, made.value, made.key, made.headers, letter.partition)
        self._flush()
        if self._transactional:
            self._producer.commit_transaction(ANSWER_S)

    def _home(self, letter: DeadLetter) -> int:
        """-1: the key decides, also for what once came on a wrong partition; without a key it is the original's."""
        if letter.topic not in self._counts:
            raise PartError(
                f"{letter.topic} does not exist on {self._bootstrap} (YUPAN_KAFKA), dead letter {letter.place}"
            )
        partition = letter.error.get("partition", "")
        known = letter.key is None and partition.isdecimal() and int(partition) < self._counts[letter.topic]
        return int(partition) if known else -1

    def _send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: Any,
        partition: int,
        tell: tuple[str, dict[str, tuple[int, int]]] | None = None,
    ) -> None:
        """Hand over a record; `tell` is a name, and where to write under it the place that the record got."""

        def delivered(error: KafkaError | None, message: Any) -> None:
            if error is not None:
                self._failed = self._failed or error
            elif tell is not None:
                tell[1][tell[0]] = (message.partition(), message.offset())

        self._producer.produce(topic, value, key, partition, delivered, headers=headers)

    def _went_wrong(self, error: KafkaError) -> None:
        if error.fatal():  # of all others librdkafka recovers by itself
            self._failed = error

    def _flush(self) -> None:
        while len(self._producer) and self._failed is None:
            self._producer.poll(0.1)  # its own `flush` answers a fatal error with a SystemError
        if self._failed is not None:
            raise KafkaException(self._failed)

    def _give_up(self) -> None:
        if self._transactional:
            with suppress(KafkaException):  # who was fenced has nothing to abort, and the broker ends it anyhow
                self._producer.abort_transaction(ANSWER_S)

    def _refused(self, error: KafkaError) -> PartError:
        if error.code() in _FENCED:
            return PartError(
                "another `yupan dead-letters replay` has begun and ended this one; what it wrote is marked"
            )
        return PartError(f"YUPAN_KAFKA={self._bootstrap}: the broker did not take a record ({error.str()})")


def _portions(letters: Iterable[DeadLetter]) -> Iterator[list[DeadLetter]]:
    some: list[DeadLetter] = []
    size = 0
    for letter in letters:
        some.append(letter)
        size += len(letter.value or b"")
        if len(some) >= AT_ONCE or size >= AT_ONCE_BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some
