"""Tools of the end-to-end tests: a whole Yupan of real processes, and what one asks of it from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from schemas import headers as wire
from schemas.codec import codecs
from schemas.errors import PartError
from schemas.headers import Headers, cloud_event
from schemas.partition import partition_of
from schemas.topics import MAX_MESSAGE
from sinks.groups import Groups
from streams.customer import customer
from streams.dev import Stack
from streams.supervisor import Worker

ROOT = Path(__file__).resolve().parents[2]
CODECS = codecs()
GROUPS = ("yupan-decide", "yupan-history")
Mark = Mapping[int, int]
"""A position in a topic: partition to offset."""
T = TypeVar("T")

NUMBERS: list[str] = []
"""All that `msisdn` gave out: none may stand in a log or among the metrics."""
_NUMBERS = count(os.getpid() % 10_000 * 10_000)


def msisdn(partition: int | None = None, of: int = 4) -> str:
    """An MSISDN that no other test of this run has; with `partition`, one of its customers."""
    while True:
        number = f"86139{next(_NUMBERS):08d}"
        if partition in (None, partition_of(number.encode(), of)):
            NUMBERS.append(number)
            return number


def now_ms() -> int:
    """The wall clock."""
    return round(time.time() * 1000)


def state(number: str, system: str, attribute: str, value: Any, at: int | None = None, **more: Any) -> dict[str, Any]:
    """A state as JSON has it."""
    at = now_ms() if at is None else at
    return {"msisdn": number, "system": system, "attribute": attribute, "value": value, "occurred_at": at, **more}


def contact(number: str | None, contact_id: str, text: str = "", at: int | None = None, **more: Any) -> dict[str, Any]:
    """A WeChat message as JSON has it."""
    at = now_ms() if at is None else at
    said = {"contact_id": contact_id, "channel": "WECHAT", "direction": "IN", "kind": "MESSAGE", "text": text}
    return {**said, "msisdn": number, "occurred_at": at, **more}


def encoded(topic: str, record: Mapping[str, Any]) -> bytes:
    """The bytes of a JSON record that our producers would write."""
    return CODECS[topic].encode(CODECS[topic].event.from_json(record))


def wait_for(ask: Callable[[], T], seconds: float = 40.0, every: float = 0.1, what: str = "it") -> T:
    """The first answer that is true. Fails when none comes in time."""
    until = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < until, f"{what} did not happen in {seconds:.0f} s"
        time.sleep(every)
    return answer


class Seen(NamedTuple):
    """A Kafka record that was read. `headers` by name; `names` in order, as they were written."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, str]
    names: Sequence[str]

    @property
    def record(self) -> dict[str, Any]:
        """The decoded record; empty for a tombstone."""
        return CODECS[self.topic].decode(self.value) if self.value else {}


class Answer(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    def lines(self) -> list[Any]:
        """Standard output, one JSON document a line."""
        return [json.loads(line) for line in self.out.splitlines()]


def clean_environ() -> dict[str, str]:
    """Our environment without settings of Yupan."""
    return {name: value for name, value in os.environ.items() if not name.startswith("YUPAN_")}


def yupan(*words: str, environ: Mapping[str, str] | None = None, stdin: bytes = b"", seconds: float = 60) -> Answer:
    """Run a command as a person would, with these settings and no others."""
    done = subprocess.run(
        [sys.executable, "-m", "streams", *words],
        input=stdin,
        capture_output=True,
        env={**clean_environ(), "PYTHONPATH": str(ROOT), **(environ or {})},
        timeout=seconds,
        check=False,
    )
    return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())


class OtherWorker(Worker):
    """A process of a module of the tests that does a worker's work."""

    def __init__(self, module: str, settings: Mapping[str, str], directory: Path) -> None:
        super().__init__("decide", 1, settings, directory)
        self._module = module

    def command(self) -> list[str]:
        return [sys.executable, "-m", self._module]

    def environment(self) -> Mapping[str, str]:
        return {**super().environment(), "PYTHONPATH": str(ROOT)}


class Live(Stack):
    """A running stack with what tests ask of it: bytes in, records out, metrics, customers, commands."""

    def __enter__(self) -> Live:
        super().__enter__()
        self._producer = Producer(
            {
                "bootstrap.servers": self.settings.kafka,
                "partitioner": "murmur2_random",
                "message.max.bytes": 2 * MAX_MESSAGE,
                "linger.ms": 2,
                "log_level": 0,
            }
        )
        return self

    # --- in

    def produce(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | str | None = None,
        headers: Headers | None = None,
        partition: int = -1,
    ) -> None:
        """Hand over bytes as they are; `flush` sends them."""
        key = key.encode() if isinstance(key, str) else key
        self._producer.produce(topic, value, key, partition, headers=headers or [])  # type: ignore[arg-type]

    def flush(self) -> None:
        """Wait until all that was handed over is written."""
        assert self._producer.flush(30) == 0

    def publish(self, topic: str, *records: Mapping[str, Any], key: str | None = None, prefix: str = "") -> None:
        """Write JSON records as our producers do; ids are content hashes, or `prefix` and a number."""
        event = CODECS[topic].event
        for number, data in enumerate(records):
            record = event.from_json(data)
            name = f"{prefix}{number}" if prefix else event.content_id(record)
            headers = cloud_event(topic, name, event.source_of(record), record["occurred_at"])
            self.produce(topic, CODECS[topic].encode(record), key or event.key(record), headers)
        self.flush()

    # --- out

    def mark(self, topic: str) -> Mark:
        """Where a topic ends now."""
        places = [(topic, number) for number in range(self.settings.partitions)]
        return {number: end for (_, number), end in Groups(self.settings.kafka).ends(places).items()}

    def read(
        self,
        topic: str,
        since: Mark | None = None,
        until: Callable[[list[Seen]], Any] | None = None,
        seconds: float = 40.0,
    ) -> list[Seen]:
        """What was committed on a topic from a mark (its start) on: to its end, or until `until(found)` is true."""
        found: list[Seen] = []
        reader = _reader(self.settings.kafka)
        start = since or dict.fromkeys(range(self.settings.partitions), 0)
        reader.assign([TopicPartition(topic, number, offset) for number, offset in start.items()])
        ends: set[int] = set()
        give_up = time.monotonic() + seconds
        try:
            while (len(ends) < len(start)) if until is None else not until(found):
                for message in reader.consume(1000, 0.1):
                    error = message.error()
                    if error is None:
                        found.append(_seen(message))
                    elif error.code() == KafkaError._PARTITION_EOF:
                        ends.add(message.partition() or 0)
                self.check_workers()
                assert time.monotonic() < give_up, self._missed(topic, found, seconds)
        finally:
            reader.close()
        return found

    def _missed(self, topic: str, found: list[Seen], seconds: float) -> str:
        """What a person needs who looks for the reason afterwards."""
        last = "\n".join(f"  {seen.partition}/{seen.offset} {seen.key!r} {seen.names}" for seen in found[-5:])
        armed, log = self.metric("decide", "yupan_armed_deadlines"), self.log("decide")[-2_000:]
        return f"{topic}: only {len(found)} records in {seconds:.0f} s, {armed:.0f} deadlines armed\n{last}\n{log}"

    def settle(self, seconds: float = 60.0) -> None:
        """Wait until both groups have committed all that is written now, and what follows from it."""
        for group in GROUPS:
            wait_for(lambda group=group: self._read_all(group), seconds, what=f"{group} has read all")

    def _read_all(self, group: str) -> bool:
        self.check_workers()
        groups = Groups(self.settings.kafka)
        try:
            committed = groups.committed(group)
            ends = groups.ends([(topic, n) for topic in CODECS for n in range(self.settings.partitions)])
        except PartError:
            return False
        topics = {topic for topic, _ in committed}
        return bool(topics) and all(committed.get(place, 0) >= end for place, end in ends.items() if place[0] in topics)

    def customer(self, number: str, until: Callable[[dict[str, Any]], Any] | None = None) -> dict[str, Any]:
        """What `yupan customer NUMBER --json` says, once `until` is true of it."""

        def ask() -> dict[str, Any] | None:
            self.check_workers()
            found = customer(self.clickhouse, number, now_ms(), 1000)
            return found if until is None or until(found) else None

        return wait_for(ask, what="what the customer shows") or {}

    def yupan(self, *words: str, stdin: bytes = b"", seconds: float = 60) -> Answer:
        """Run a command against this stack."""
        return yupan(*words, environ=self.settings.environ(), stdin=stdin, seconds=seconds)

    # --- workers

    @property
    def own_checks(self) -> Path:
        """The directory of the operator's checks; what one puts there one takes away again."""
        return Path(self.settings.checks[0])

    def reload(self, outcome: str = "loaded") -> None:
        """Have the worker that decides read its checks anew, and wait until it has."""
        name = "yupan_checks_reloads_total"
        before = self.metric("decide", name, outcome=outcome)
        super().reload()
        wait_for(lambda: self.metric("decide", name, outcome=outcome) == before + 1, what=f"checks {outcome}")

    def check_workers(self) -> None:
        """Fail with the end of its log when a worker has ended: nobody starts it again here."""
        for worker in self.supervisor.workers if self.supervisor is not None else ():
            assert worker.alive, f"{worker.name} has ended:\n{self.log(worker.role)[-3000:]}"

    def worker(self, role: str) -> Worker:
        """The first worker of a role."""
        assert self.supervisor is not None
        return next(worker for worker in self.supervisor.workers if worker.role == role)

    @contextmanager
    def instead(self, module: str, **settings: str) -> Iterator[Worker]:
        """Another program in the place of the deciding worker, with settings of its own."""
        assert self.supervisor is not None
        usual = self.worker("decide")
        other = OtherWorker(module, {**self.settings.environ(), **settings}, self.directory / "workers" / module)
        usual.stop()
        place = self.supervisor.workers.index(usual)
        self.supervisor.workers[place] = other
        try:
            other.start()
            wait_for(lambda: other.assigned() == self.settings.partitions)
            yield other
        finally:
            other.stop()
            self.supervisor.workers[place] = usual
            usual.start()
            wait_for(lambda: usual.assigned() == self.settings.partitions)

    def metrics_text(self, role: str) -> str:
        """What a worker's endpoint shows."""
        self.check_workers()
        with urllib.request.urlopen(f"http://{self.worker(role).metrics}/metrics", timeout=5) as answer:
            return str(answer.read().decode())

    def metric(self, role: str, name: str, **labels: str) -> float:
        """The sum of a metric's samples with these labels; `name` as exposed (counters end in `_total`)."""
        families = text_string_to_metric_families(self.metrics_text(role))
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return sum(s.value for s in samples if labels.items() <= s.labels.items())

    def log(self, role: str) -> str:
        """What a worker has logged."""
        return self.worker(role).log.read_text("utf-8", "replace")


def started(stack: Live, absent: Callable[[PartError], Any]) -> Live:
    """Enter the stack; `absent` is told of a part that cannot be started. Our own failures are raised."""
    before = stack.settings
    try:
        return stack.__enter__()
    except PartError as error:
        if stack.settings is before:  # the broker or ClickHouse; what follows is ours
            absent(error)
        raise


def _reader(bootstrap: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "e2e-reader",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "fetch.message.max.bytes": 2 * MAX_MESSAGE,
        }
    )


def _seen(message: Any) -> Seen:
    pairs = message.headers() or []
    return Seen(
        message.topic(),
        message.partition(),
        message.offset(),
        message.key(),
        message.value(),
        wire.read(pairs),
        [name for name, _ in pairs],
    )


def with_key(*keys: str) -> Callable[[Iterable[Seen]], bool]:
    """For `Live.read`: whether a record of each of these keys is there."""
    wanted = {key.encode() for key in keys}
    return lambda found: wanted <= {seen.key for seen in found}
