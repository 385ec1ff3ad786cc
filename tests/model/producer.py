"""`confluent_kafka.Producer` over the model."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from tests.model.clients import Client, Machine, Record
from tests.model.errors import abortable, away, fenced
from tests.model.kafka import Name


class ModelProducer(Client):
    """`confluent_kafka.Producer`: a buffer, and with a transactional id the client's half of transactions."""

    def __init__(self, machine: Machine, conf: dict[str, Any]) -> None:
        super().__init__(machine)
        self._identity: str | None = conf.get("transactional.id")
        self._epoch = -1
        self._delivered = conf.get("on_delivery")
        self._buffer: deque[tuple[Name, bytes | None, bytes | None, Any]] = deque()
        self._reports: deque[Callable[[], None]] = deque()
        self._in_transaction = False
        self._ending = False
        self._error: KafkaException | None = None

    def __len__(self) -> int:
        return len(self._buffer) + len(self._reports)

    def list_topics(self, timeout: float) -> None:
        self._ask(lambda: None)

    # --- records

    def produce(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int = -1,
        headers: Any = None,
        on_delivery: Any = None,
    ) -> None:
        self._alive()
        if self._identity is not None and (self._ending or not self._in_transaction):
            raise KafkaException(KafkaError(KafkaError._STATE, "no transaction, or it is being ended"))
        if self._error is not None:
            raise self._error
        number = partition if partition >= 0 else sum(key or b"") % self._broker.partitions
        self._buffer.append(((topic, number), key, value, on_delivery or self._delivered))

    def can_deliver(self) -> bool:
        """Whether a record is on its way, and may arrive now."""
        return bool(self._buffer) and (self._identity is None or self._broker.can_begin(self._identity))

    def deliver(self) -> None:
        """The next record of some partition reaches the broker (the schedule says which, and when)."""
        heads: dict[Name, int] = {}
        for at, (name, *_) in enumerate(self._buffer):
            heads.setdefault(name, at)
        at = list(heads.values())[self._machine.pick(len(heads))]
        name, key, value, report = self._buffer[at]
        del self._buffer[at]
        error, offset = self._error, -1
        if error is None:
            try:
                offset = self._write(name, key, value)
            except KafkaException as refused:
                error = refused
                self._fail(refused)
        if report is not None:
            failed = error.args[0] if error is not None else None
            self._reports.append(lambda: report(failed, Record(name, offset, key, value)))

    def _write(self, name: Name, key: bytes | None, value: bytes | None) -> int:
        if self._machine.refused:
            self._machine.refused -= 1
            raise abortable(KafkaError.INVALID_RECORD, "refused")
        if self._identity is not None:
            return self._broker.write(self._identity, self._epoch, name, key, value)
        return self._broker.append(name, key, value)

    def _fail(self, error: KafkaException) -> None:
        if self._identity is not None and (self._error is None or not self._error.args[0].fatal()):
            self._error = error

    def poll(self, seconds: float) -> int:
        self._alive()
        served = len(self._reports)
        while self._reports:
            self._reports.popleft()()
        return served

    def flush(self, seconds: float) -> int:
        self._block(lambda: not self._buffer, seconds)
        self.poll(0)
        return len(self)

    # --- transactions

    def init_transactions(self, seconds: float) -> None:
        identity = self._identity
        assert identity is not None
        while (epoch := self._ask(lambda: self._broker.init(identity))) is None:
            self._block(lambda: self._broker.can_begin(identity), seconds)
        self._epoch = epoch

    def begin_transaction(self) -> None:
        self._alive()
        if self._error is not None:
            raise self._error
        assert not self._in_transaction, "a transaction is open"
        self._in_transaction = True

    def send_offsets_to_transaction(self, offsets: Iterable[TopicPartition], group: Any, seconds: float) -> None:
        self._raise()
        wanted = {(tp.topic, tp.partition): tp.offset for tp in offsets}
        identity = self._identity
        assert identity is not None
        if not self._block(lambda: self._broker.can_begin(identity), seconds):
            raise away()
        self._judged(lambda: self._broker.send_offsets(identity, self._epoch, wanted, group))

    def commit_transaction(self, seconds: float) -> None:
        if self.flush(seconds):
            raise away()
        self._raise()
        self._end("commit")

    def abort_transaction(self, seconds: float) -> None:
        self._alive()
        if self._error is not None and self._error.args[0].fatal():
            raise self._error
        self._buffer.clear()  # purged
        self.poll(0)
        self._end("abort")
        self._error = None

    def _end(self, how: str) -> None:
        identity = self._identity
        assert identity is not None
        self._ending = True
        self._judged(lambda: self._broker.end_transaction(identity, self._epoch, how))
        self._in_transaction = self._ending = False

    def _judged(self, request: Callable[[], None]) -> None:
        try:
            self._ask(request)
        except KafkaException as error:
            if error.args[0].txn_requires_abort() or error.args[0].fatal():
                self._fail(error)
            raise

    def _raise(self) -> None:
        self._alive()
        if self._error is not None:
            error = self._error.args[0]
            raise fenced() if error.fatal() else abortable(error.code(), error.str())
