"""How outputs, changelog and input offsets become visible: together, or one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from schemas.masking import masked
from streams.engine.batch import Output
from streams.engine.config import EngineConfig
from streams.engine.retry import FencedError, MustAbortError, Retry, StaleError, TooLargeError, error_of, is_too_large

STEP_S = 10.0


class Outbox(Protocol):
    """One strategy of delivery. `start`, `commit` and `abort` block; the committer calls them in its executor."""

    owner: bytes | None
    """Names the transaction's owner in the changelog; None where there is nothing to fence."""
    stale: bool
    """The broker was away: a transactional producer that is used after that may wait for ever, since librdkafka
    remembers coordinators of before (its issues 5456, 5511). Nothing begins until `start` has made a new one."""

    def start(self) -> None:
        """Connect; fence what an earlier run left open."""

    def begin(self) -> None:
        """Open a transaction. Raises `FencedError`."""

    def name_owner(self, record: Output) -> None:
        """Add the record that names the transaction's owner, before any other of its partition. Raises as `produce`."""

    def produce(self, output: Output) -> None:
        """Add one record. Raises `MustAbortError` when the transaction is beyond repair, `TooLargeError`."""

    def write(self, topic: str, value: bytes | None, key: bytes | None, partition: int, **more: Any) -> None:
        """Add one record to the changelog, its parts given one by one: a commit has thousands. Raises as `produce`."""

    def commit(self, offsets: list[TopicPartition], group: Any) -> None:
        """Make records and offsets visible, the latter perhaps a moment later.

        Raises `MustAbortError`, `FencedError`, `TooLargeError`.
        """

    def abort(self) -> None:
        """Take back what can be taken back. Raises `FencedError`, and `TooLargeError` when that was the cause."""

    def close(self) -> None:
        """Disconnect; what is not committed is lost."""


class _Producing:
    """What both strategies share: the producer, and waiting while its buffer is full."""

    owner: bytes | None = None
    stale = False

    def __init__(self, config: EngineConfig, retry: Retry) -> None:
        self._conf = config.producer()
        self._retry = retry
        self._producer: Producer | None = None
        self._largest: tuple[str, bytes | None] = ("", None)  # since the last commit: topic and key
        self._largest_size = 0
        self._refused = False  # the broker takes no record of that size

    def close(self) -> None:
        """See `Outbox`."""
        self._producer = None  # its own close() would wait for a broker that is away

    def produce(self, output: Output) -> None:
        """See `Outbox`."""
        topic, value, key, headers, partition = output
        if headers is None:
            self.write(topic, value, key, partition)
        else:
            self.write(topic, value, key, partition, headers=headers)

    def name_owner(self, record: Output) -> None:
        """See `Outbox`."""
        self.produce(record)

    def write(self, topic: str, value: bytes | None, key: bytes | None, partition: int, **more: Any) -> None:
        """See `Outbox`; a full buffer is waited for."""
        producer = self._producer
        assert producer is not None
        size = len(value or b"")
        if size > self._largest_size:
            self._largest, self._largest_size = (topic, key), size
            more["on_delivery"] = self._watched(more.get("on_delivery"))
        elif "on_delivery" in more:
            more["on_delivery"] = self._watched(more["on_delivery"])
        while True:
            try:
                producer.produce(topic, value, key, partition, **more)
                return
            except BufferError:
                producer.poll(0.01)
            except KafkaException as error:
                if is_too_large(error_of(error)):
                    raise self._too_large() from error
                raise MustAbortError(f"{topic}: {error}") from error

    def _flush(self) -> None:
        assert self._producer is not None
        if self._producer.flush(STEP_S):
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "outputs are not acknowledged"))

    def _watched(self, report: Callable[[KafkaError | None, Message], None] | None) -> Any:
        """A delivery report that also looks for a refusal: of the largest records alone, since there are thousands."""

        def both(error: KafkaError | None, message: Message) -> None:
            self._delivered(error, message)
            if report is not None:
                report(error, message)

        return both

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None and is_too_large(error):
            self._refused = True

    def _too_large(self) -> TooLargeError:
        return too_large(*self._largest, self._largest_size)

    def _forget(self) -> None:
        self._largest, self._largest_size, self._refused = ("", None), 0, False


def too_large(topic: str, key: bytes | None, size: int) -> TooLargeError:
    """The error that names a record that is larger than the broker takes; its key says what it is, and of whom."""
    name = masked(key.decode("utf-8", "replace")) if key is not None else "without key"
    return TooLargeError(
        f"{topic}: the record {name} has {size} bytes, and the broker refuses it; "
        "`yupan topics diff` says whether the topic's max.message.bytes is as it should be"
    )


class TransactionalOutbox(_Producing):
    """Exactly once: outputs, changelog and offsets commit together or not at all."""

    def __init__(self, config: EngineConfig, retry: Retry) -> None:
        super().__init__(config, retry)
        self.owner = config.transactional_id.encode()
        self._named: bool | None = None
        """Whether the broker has a record that names the owner of the open transaction; None: nobody is to be named."""
        self._held: list[Output] = []
        """Outputs that wait for that. Of a worker that died with only them at the broker nobody would know whom to
        fence, and they would hide what follows on their topics until the transaction times out."""

    def start(self) -> None:
        """See `Outbox`."""
        producer = self._producer = Producer(self._conf)
        self._retry("init_transactions", lambda: producer.init_transactions(STEP_S))
        self.stale = False

    def begin(self) -> None:
        """See `Outbox`."""
        assert self._producer is not None
        try:
            self._producer.begin_transaction()
        except KafkaException as error:
            raise FencedError(f"begin_transaction: {error}") from error
        self._named = None
        self._held.clear()

    def name_owner(self, record: Output) -> None:
        """See `Outbox`; one of them at the broker is enough."""
        topic, value, key, _, partition = record
        if self._named is None:
            self._named = False
        self.write(topic, value, key, partition, on_delivery=self._has_arrived)

    def _has_arrived(self, error: KafkaError | None, message: Message) -> None:
        self._named = True  # or never will be: then the transaction fails

    def produce(self, output: Output) -> None:
        """See `Outbox`."""
        if self._named is False:
            assert self._producer is not None
            self._producer.poll(0)
        if self._named is False:
            self._held.append(output)
        else:
            self._release()
            super().produce(output)

    def _release(self) -> None:
        if self._held:
            held, self._held = self._held, []
            for output in held:
                super().produce(output)

    def commit(self, offsets: list[TopicPartition], group: Any) -> None:
        """See `Outbox`."""
        producer = self._producer
        assert producer is not None
        # the owner's record before the offsets: killed in between, pending offsets would hide behind nothing that
        # names whom to fence, and the next owner would wait for the transaction to time out
        try:
            self._unless_stale("flush", self._flush)
            if self._held:
                self._release()
                self._unless_stale("flush", self._flush)
            self._unless_stale(
                "send_offsets_to_transaction",
                lambda: producer.send_offsets_to_transaction(offsets, group, STEP_S),
            )
            self._unless_stale("commit_transaction", lambda: producer.commit_transaction(STEP_S))
        except TooLargeError as error:
            raise self._too_large() from error
        producer.poll(0)
        self._forget()

    def abort(self) -> None:
        """See `Outbox`. What a stale producer has left open is taken back by the new one, which has its name."""
        producer = self._producer
        assert producer is not None
        with suppress(StaleError):
            self._unless_stale("abort_transaction", lambda: producer.abort_transaction(STEP_S))
            producer.poll(0)
        if self.stale:
            self.start()
        if self._refused:
            raise self._too_large()
        self._forget()

    def _unless_stale(self, what: str, step: Callable[[], None]) -> None:
        self._retry(what, step, lambda: self.stale)


class FlushingOutbox(_Producing):
    """At least once, for brokers without sound transactions: flush, then hand over the offsets."""

    def __init__(self, config: EngineConfig, retry: Retry, done: Callable[[list[TopicPartition]], None]) -> None:
        """`done` has the group's consumer commit these offsets, soon (`offsets.Offsets`)."""
        super().__init__(config, retry)
        self._conf["on_delivery"] = self._delivered
        self._done = done
        self._failed: list[str] = []

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        super()._delivered(error, message)
        if error is not None:
            self._failed.append(f"{message.topic()}: {error.str()}")

    def start(self) -> None:
        """See `Outbox`."""
        self._producer = Producer(self._conf)

    def begin(self) -> None:
        """See `Outbox`."""

    def commit(self, offsets: list[TopicPartition], group: Any) -> None:
        """See `Outbox`."""
        self._retry("flush", self._flush)
        if self._refused:
            raise self._too_large()
        if self._failed:
            raise MustAbortError(f"not delivered: {self._failed[0]}")
        self._done(offsets)
        self._forget()

    def abort(self) -> None:
        """See `Outbox`; what was sent stays sent."""
        self._failed.clear()
        self._forget()


class SinkOutbox(FlushingOutbox):
    """For roles that write elsewhere: the sink's rows go in before the offsets, repeats are harmless there."""

    def __init__(
        self,
        config: EngineConfig,
        retry: Retry,
        done: Callable[[list[TopicPartition]], None],
        flush: Callable[[], Sequence[Output] | None],
    ) -> None:
        """`flush` inserts every row handed over before the call (it runs in another thread than the handlers).

        It raises `PartError` while the sink is away, and then keeps the rows; it is called again, and the input
        stands still meanwhile. It returns dead letters for rows that the sink refuses.
        """
        super().__init__(config, retry, done)
        self._sink = flush

    def commit(self, offsets: list[TopicPartition], group: Any) -> None:
        """See `Outbox`."""
        for refused in self._retry.until_part_is_back("sink", self._sink) or ():
            self.produce(refused)
        super().commit(offsets, group)
