"""Calls and drifts of customers of our own, whose pops and reminders are awaited: what an agent at a desk notices."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any, NamedTuple, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from benchmarks.reference.broker import QUIET
from benchmarks.soak.load import DEADLINE_MS, PATIENCE_MS
from schemas.codec import codecs
from sinks.producer import EventProducer
from streams.simulate.drive import now_ms

CALL, STATE = "yupan.call.v1", "yupan.state.v1"
POP, REMINDER = "yupan.screen-pop.v1", "yupan.reminder.v1"
CALLS_EVERY_S = 0.05
CALLS_A_DRIFT = 20
CALLERS = 2_000
OURS = "86139"
"""How the numbers of probes begin; the simulator's customers have other ones."""


class Waited(NamedTuple):
    """One answer: when the probe was sent (wall clock, s), and how long its answer took, ms."""

    sent_at: float
    ms: float


class Probes:
    """20 calls a second, one drift a second; for `with`. `failures` is empty while all is well."""

    def __init__(self, bootstrap: str, partitions: int) -> None:
        self._bootstrap = bootstrap
        self._partitions = partitions
        self._sent: dict[str, int] = {}
        self._codecs = codecs()
        self._silent, self._over = threading.Event(), threading.Event()
        self.pops: list[Waited] = []
        """From handing the call to the producer to reading the pop."""
        self.reminders: list[Waited] = []
        """From the deadline's due time to reading the reminder, committed."""
        self.failures: list[BaseException] = []
        works = (self._send, partial(self._read, POP), partial(self._read, REMINDER))
        self._threads = [threading.Thread(target=self._kept, args=(work,), daemon=True) for work in works]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._silent.set()
        self._over.set()
        for thread in self._threads:
            thread.join(20)

    @property
    def unanswered(self) -> int:
        """Probes sent whose answer has not been read."""
        return len(self._sent)

    def stop_sending(self) -> None:
        """No more probes; answers are still awaited."""
        self._silent.set()
        self._threads[0].join(20)

    def _kept(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self.failures.append(error)

    def _send(self) -> None:
        settings = {"linger.ms": "0", "message.timeout.ms": str(PATIENCE_MS)}
        producer = EventProducer(self._bootstrap, self._codecs, settings)
        for number in count():
            if self._silent.wait(CALLS_EVERY_S):
                break
            at, caller = now_ms(), _msisdn(number % CALLERS)
            call = {"call_id": f"probe-{number}", "msisdn": caller, "phase": "OFFERED", "seat": "1", "occurred_at": at}
            self._publish(producer, CALL, call, f"probe-{number}", at)
            if number % CALLS_A_DRIFT == 0:
                new = _msisdn(CALLERS + number)
                state = {"msisdn": new, "system": "crm", "attribute": "status", "value": "active", "occurred_at": at}
                self._publish(producer, STATE, state, new, at + DEADLINE_MS)
        producer.flush()

    def _publish(self, producer: EventProducer, topic: str, data: dict[str, Any], awaited: str, since: int) -> None:
        self._sent[awaited] = since
        producer.publish(topic, self._codecs[topic].event.from_json(data))

    def _read(self, topic: str) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": "soak-probes",
                "isolation.level": "read_uncommitted" if topic == POP else "read_committed",
                "auto.offset.reset": "latest",
                "enable.auto.commit": False,
                **QUIET,
            }
        )
        start = [TopicPartition(topic, number) for number in range(self._partitions)]
        for tp in start:
            tp.offset = consumer.get_watermark_offsets(tp, timeout=20)[1]
        consumer.assign(start)
        decode, found = self._codecs[topic].decode, self.pops if topic == POP else self.reminders
        while not self._over.is_set():
            message = consumer.poll(0.2)
            if message is None:
                continue
            error = message.error()
            if error is None:
                self._take(message, decode, found, now_ms())
            elif error.code() not in (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN):
                raise KafkaException(error)
        consumer.close()

    def _take(self, message: Any, decode: Any, found: list[Waited], at: int) -> None:
        key = message.key()
        if key is None or not key.startswith(OURS.encode()) or message.value() is None:
            return
        record = decode(message.value())
        since = self._sent.pop(record.get("call_id", record["msisdn"]), None)
        if since is not None:
            found.append(Waited(since / 1000, float(at - since)))


def _msisdn(number: int) -> str:
    return f"{OURS}{number:08d}"
