"""Where the slice is measured: Apache Kafka on one core, a worker on the other, our topics as they are."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from benchmarks.common.place import Place, cores
from benchmarks.reference.broker import QUIET
from benchmarks.reference.work import PARTITIONS
from benchmarks.slice.day import Answer, write
from schemas.catalogue import EVENTS
from schemas.topics import TOPICS
from sinks.admin import Admin
from streams.simulate.traffic import Traffic
from streams.supervisor import Worker

GROUP = "yupan-decide"
IN = tuple(topic for topic, event in EVENTS.items() if event.flow == "in")
PATIENCE_S = 300.0
T = TypeVar("T")


def wait_for(ask: Callable[[], T], what: str, seconds: float = PATIENCE_S, every: float = 0.1) -> T:
    """The first answer that is true. Raises `RuntimeError` when none comes in time."""
    until = time.monotonic() + seconds
    while not (answer := ask()):
        if time.monotonic() > until:
            raise RuntimeError(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(every)
    return answer


class PinnedWorker(Worker):
    """`yupan worker --role decide` on a core of its own."""

    def __init__(self, settings: dict[str, str], directory: Path, core: int) -> None:
        super().__init__("decide", 1, settings, directory)
        self._core = core

    def launch(self) -> None:
        super().launch()
        os.sched_setaffinity(self.pid or 0, {self._core})  # before it has a second thread

    def ready(self) -> bool:
        return self.assigned() == PARTITIONS


class Site:
    """A broker, and what is done to it and asked of it."""

    def __init__(self, place: Place) -> None:
        self.bootstrap = place.bootstrap
        self._place = place
        self._admin = AdminClient({"bootstrap.servers": self.bootstrap, **QUIET})

    def fresh(self) -> None:
        """All topics empty, the group forgotten."""
        names = [name for name in self._admin.list_topics(timeout=10).topics if name in TOPICS]
        if names:
            for future in self._admin.delete_topics(names).values():
                future.result(20)
            wait_for(lambda: not set(names) & set(self._admin.list_topics(timeout=10).topics), "deleting topics")
            self._forget()
        Admin(self.bootstrap).apply(PARTITIONS)

    def _forget(self) -> None:
        for future in self._admin.delete_consumer_groups([GROUP]).values():
            try:
                future.result(20)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.GROUP_ID_NOT_FOUND:
                    raise

    def write(self, told: Traffic, answer: Answer) -> None:
        """Write these events (`day.write`), on both cores: nothing is measured yet."""
        with cores(self._place.broker_core, self._place.program_core):
            write(self.bootstrap, told, answer)

    @contextmanager
    def worker(self, directory: Path, ledger: str = "memory", **settings: str) -> Iterator[PinnedWorker]:
        """A running worker that owns all partitions; it ends as on SIGTERM."""
        ours = {
            "YUPAN_KAFKA": self.bootstrap,
            "YUPAN_PARTITIONS": str(PARTITIONS),
            "YUPAN_LEDGER": ledger,
            **settings,
        }
        worker = PinnedWorker(ours, directory, self._place.program_core)
        worker.start()
        try:
            yield worker
        finally:
            worker.stop()


class Progress:
    """How much of the In topics the worker has committed."""

    def __init__(self, bootstrap: str) -> None:
        self._asked = [TopicPartition(topic, number) for topic in IN for number in range(PARTITIONS)]
        self._consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": GROUP, "isolation.level": "read_uncommitted", **QUIET}
        )

    def done(self, topics: tuple[str, ...] = IN) -> int:
        """Records of these topics that are committed; 0 as long as the group's coordinator does not answer."""
        try:
            found = self._consumer.committed(self._asked, 10)
        except KafkaException:
            return 0
        return sum(max(place.offset, 0) for place in found if place.topic in topics)

    def close(self) -> None:
        self._consumer.close()
