"""Tools of the engine's tests: topics, records, an engine in a thread, a worker in a process."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from streams.engine.config import EngineConfig
from streams.engine.engine import Engine
from streams.engine.metrics import NullMetrics
from streams.engine.store import decode
from tests.engine.driver import run

ROOT = Path(__file__).resolve().parents[2]
PARTITIONS = 4


def create_topics(
    bootstrap: str, *names: str, partitions: int = PARTITIONS, compacted: tuple[str, ...] = (), **more: str
) -> None:
    """Create topics as ours are: broker time, compacted where said."""
    wanted = [
        NewTopic(
            name,
            partitions,
            1,
            config={
                "message.timestamp.type": "LogAppendTime",
                "cleanup.policy": "compact" if name in compacted else "delete",
                **more,
            },
        )
        for name in names
    ]
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_topics(wanted).values():
        future.result(20)


def publish(bootstrap: str, topic: str, records: list[tuple[str, Any]], partition: int = -1) -> None:
    """Write JSON records by key."""
    producer = Producer(
        {"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 5, "enable.idempotence": True}
    )
    for key, record in records:
        while True:
            try:
                producer.produce(topic, json.dumps(record).encode(), key.encode(), partition)
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(30) == 0


def read(bootstrap: str, topic: str, isolation: str = "read_committed", partitions: int = PARTITIONS) -> list[Any]:
    """All records of a topic, to its end: also behind a commit whose markers the broker still writes."""
    written = ends(bootstrap, topic, "read_uncommitted", partitions)
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "reader",
            "isolation.level": isolation,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
    found, ended = [], set()
    until = time.monotonic() + 30
    while len(ended) < partitions and time.monotonic() < until:
        for message in consumer.consume(5000, 0.1):
            if message.error() is None:
                found.append(message)
            elif (
                message.error().code() == KafkaError._PARTITION_EOF and message.offset() >= written[message.partition()]
            ):
                ended.add(message.partition())
    consumer.close()
    return found


def ends(bootstrap: str, topic: str, isolation: str, partitions: int = PARTITIONS) -> list[int]:
    """Where a topic ends, by partition, for readers of this isolation."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "isolation.level": isolation})
    found = [consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=20)[1] for p in range(partitions)]
    consumer.close()
    return found


def ledger(bootstrap: str, changelog: str) -> dict[str, Any]:
    """What the changelog says, compacted."""
    records: dict[str, Any] = {}
    for message in read(bootstrap, changelog):
        key = message.key().decode()
        if not key.startswith("\0"):
            value = message.value()
            if value is None:
                records.pop(key, None)
            else:
                records[key] = decode(value)
    return records


def committed(bootstrap: str, group: str, topics: tuple[str, ...], partitions: int = PARTITIONS) -> dict[Any, int]:
    """The group's offsets, by (topic, partition)."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group})
    found = consumer.committed([TopicPartition(t, p) for t in topics for p in range(partitions)], 20)
    consumer.close()
    return {(tp.topic, tp.partition): tp.offset for tp in found}


def wait_until(condition: Callable[[], Any], seconds: float = 30.0, every: float = 0.05) -> None:
    """Fail when `condition` does not come true."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(every)


def all_read(bootstrap: str, group: str, topics: tuple[str, ...], partitions: int = PARTITIONS) -> bool:
    """Whether the group has committed the ends of all topics."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group})
    try:
        for tp in consumer.committed([TopicPartition(t, p) for t in topics for p in range(partitions)], 20):
            low, high = consumer.get_watermark_offsets(tp, timeout=20)
            if max(tp.offset, low) < high:
                return False
        return True
    except KafkaException:
        return False  # the coordinator is still being loaded
    finally:
        consumer.close()


class InThread:
    """An engine and its handlers in a thread of their own, for `with`."""

    def __init__(self, make: Callable[[Callable[[BaseException], None]], Engine], handlers: Mapping[str, Any]) -> None:
        self._make = make
        self._handlers = handlers
        self.failures: list[BaseException] = []
        self.engine: Engine
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        async def go() -> None:
            self.loop = asyncio.get_running_loop()
            self.stop = asyncio.Event()
            self.engine = self._make(self.failures.append)
            self._started.set()
            await run(self.engine, self._handlers, self.stop)

        try:
            asyncio.run(go())
        except BaseException as error:
            self.failures.append(error)
            self._started.set()

    def __enter__(self) -> InThread:
        self._thread.start()
        assert self._started.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self.stop.set)
            self._thread.join(20)
        assert not self._thread.is_alive(), "the engine does not stop"

    def call(self, function: Callable[[], Any]) -> Any:
        """Run `function` in the engine's event loop."""

        async def go() -> Any:
            return function()

        return asyncio.run_coroutine_threadsafe(go(), self.loop).result(20)


class Worker:
    """A worker process: `tests.engine.worker` with its options, for `with`; killed at the end if it still runs."""

    def __init__(self, **options: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.engine.worker", json.dumps(options)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """Kill -9."""
        self.process.kill()
        self.process.wait(10)

    def terminate(self, seconds: float = 15) -> int:
        """SIGTERM, and the exit code."""
        self.process.terminate()
        return self.process.wait(seconds)

    def log(self) -> str:
        return "\n".join(self.lines)


class FailingError(Exception):
    """What the handlers of the tests raise."""


def dead_letter(cause: Any, error: Exception) -> tuple[str, bytes | None, bytes | None, Any]:
    """To the topic `PREFIXdead`, where the prefix is that of the cause's topic."""
    topic = cause.topic()
    return topic.rsplit("-", 1)[0] + "-dead", cause.value(), cause.key(), [("error", str(error).encode())]


def values(messages: list[Any]) -> list[Any]:
    return [json.loads(message.value()) for message in messages]


def config(bootstrap: str, prefix: str, **changes: Any) -> EngineConfig:
    """An engine on `PREFIX-in` with the ledger `PREFIX-ledger`."""
    settings: dict[str, Any] = {
        "bootstrap": bootstrap,
        "group": f"{prefix}-group",
        "topics": (f"{prefix}-in",),
        "changelog": f"{prefix}-ledger",
        "session_ms": 6_000,
        **changes,
    }
    return EngineConfig(**settings)


def repeat_of(counts: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Rounds of (key, number): each key as often as it is said."""
    for number in range(max(counts.values(), default=0)):
        for key, count in counts.items():
            if number < count:
                yield key, number


def engine_topics(bootstrap: str, prefix: str, *more: str) -> None:
    """`PREFIX-in`, `-out`, `-dead`, and `-ledger`, compacted; and more."""
    create_topics(bootstrap, *(f"{prefix}-{name}" for name in ("in", "out", "dead", *more)))
    create_topics(bootstrap, f"{prefix}-ledger", compacted=(f"{prefix}-ledger",))


class Told(NullMetrics):
    """Keeps what the engine tells."""

    def __init__(self) -> None:
        self.events = 0
        self.commits = 0
        self.aborts = 0
        self.restores: list[int] = []
        self.partitions = 0
        self.deadlines = 0
        self.up: list[bool] = []
        self.dead: list[tuple[str, str]] = []
        self.lags: dict[tuple[str, int], int] = {}

    def committed(self, events: int, seconds: float) -> None:
        self.events += events
        self.commits += 1

    def aborted(self) -> None:
        self.aborts += 1

    def restored(self, records: int, seconds: float) -> None:
        self.restores.append(records)

    def assigned(self, partitions: int) -> None:
        self.partitions = partitions

    def armed(self, deadlines: int) -> None:
        self.deadlines = deadlines

    def broker_up(self, up: bool) -> None:
        self.up.append(up)

    def dead_letter(self, topic: str, reason: str) -> None:
        self.dead.append((topic, reason))

    def lag(self, topic: str, partition: int, records: int, seconds: float) -> None:
        self.lags[topic, partition] = records


def running(settings: EngineConfig, handlers: Mapping[str, Any], **more: Any) -> InThread:
    """An engine with these settings in a thread."""
    return InThread(
        lambda failed: Engine(settings, **{"dead_letter": dead_letter, "on_failure": failed, **more}), handlers
    )


def wait_read(thread: InThread, settings: EngineConfig, seconds: float = 40) -> None:
    """Until the group has committed the ends of its topics, or the engine has failed."""
    wait_until(
        lambda: thread.failures or all_read(settings.bootstrap, settings.group, settings.topics), seconds, every=0.2
    )
    assert not thread.failures, thread.failures
