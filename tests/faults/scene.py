"""One run on the way: workers under a supervisor, a feeder that writes, an observer that reads what comes of calls."""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from schemas import headers as wire
from schemas.catalogue import EVENTS
from schemas.errors import PartError
from schemas.topics import MAX_MESSAGE
from sinks import history
from sinks.groups import Place
from streams.supervisor import Supervisor, Worker
from tests.faults.answer import FIRST, TAGGED
from tests.faults.ground import Ground, set_clock
from tests.faults.worker import FAULTS
from tests.faults.workload import PARTITIONS, Workload

ROOT = Path(__file__).resolve().parents[2]
PACE = 500.0
"""Lines a second."""
PATIENCE_S = 120.0
DECIDE, HISTORY = "yupan-decide", "yupan-history"
READS = {
    DECIDE: tuple(topic for topic, event in EVENTS.items() if topic in FIRST or event.flow == "in"),
    HISTORY: history.TOPICS,
}
"""What each group reads."""


class FaultyWorker(Worker):
    """A worker process with points to die at (`tests.faults.worker`)."""

    def command(self) -> list[str]:
        return [sys.executable, "-m", "tests.faults.worker", self.role]

    def environment(self) -> Mapping[str, str]:
        points = str(self.directory.parent)
        return {**super().environment(), "PYTHONPATH": str(ROOT), FAULTS: points}


class Feeder(threading.Thread):
    """Writes the workload at its pace, whatever the broker does; each line once."""

    def __init__(self, bootstrap: str, workload: Workload, settled: Callable[[], bool]) -> None:
        """`settled`: whether the first stage is decided, so that the second may depend on it."""
        super().__init__(daemon=True)
        self._workload = workload
        self._settled = settled
        self._stopped = threading.Event()
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": 2,
                "message.max.bytes": MAX_MESSAGE,
                "message.timeout.ms": int(PATIENCE_S * 1000),
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
            }
        )
        self.written = 0
        self.failed: list[str] = []

    @property
    def share(self) -> float:
        """How much of the workload is written."""
        return self.written / self._workload.count

    def run(self) -> None:
        for number, lines in enumerate(self._workload.stages):
            while number and not self._stopped.wait(0.1) and not self._settled():
                pass
            began = time.monotonic()
            for place, line in enumerate(lines):
                self._producer.produce(
                    line.topic, line.value, line.key, line.partition, headers=list(line.headers), on_delivery=self._done
                )
                self._producer.poll(max(0.0, began + place / PACE - time.monotonic()))
                if self._stopped.is_set():
                    return
            self._producer.flush(PATIENCE_S)

    def _done(self, error: Any, _: Any) -> None:
        if error is None:
            self.written += 1
        else:
            self.failed.append(error.str())

    def stop(self) -> None:
        """Write no more."""
        self._stopped.set()
        self.join(PATIENCE_S)


class Observer(threading.Thread):
    """Reads tagged calls as they become visible, and notes when: their pause is what a customer notices."""

    def __init__(self, bootstrap: str, marks: Mapping[tuple[str, int], int]) -> None:
        super().__init__(daemon=True)
        self.seen: dict[str, int] = {}
        """By the id of a tagged call, when it was first read (ms)."""
        self._stopped = threading.Event()
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "faults-observer",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 20,
                "reconnect.backoff.max.ms": 200,
                "log_level": 0,
            }
        )
        self._consumer.assign([TopicPartition(TAGGED, n, marks[TAGGED, n]) for n in range(PARTITIONS)])

    def run(self) -> None:
        while not self._stopped.is_set():
            for message in self._consumer.consume(500, 0.05):
                if message.error() is None:
                    name = wire.read(message.headers())["ce_id"]
                    self.seen.setdefault(name, time.time_ns() // 1_000_000)
        self._consumer.close()

    def stop(self) -> None:
        """Read no more."""
        self._stopped.set()
        self.join(20)


class Scene:
    """What a fault sees of a run: its workers, brokers and ClickHouse, and how much is written. A context manager."""

    def __init__(
        self,
        ground: Ground,
        chance: random.Random,
        name: str,
        workers: Mapping[str, int],
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """`workers`: how many of each role; `options` of all of them: see `add`."""
        self.ground = ground
        self.chance = chance
        self.directory = ground.directory / name
        self.directory.mkdir()
        self.strikes = 0
        """How often a worker has died at a point."""
        self.feeder: Feeder
        self.observer: Observer
        self.supervisor = Supervisor((), 0, {}, self.directory)
        self._count = dict(workers)
        self._options = dict(options or {})
        self._exit = ExitStack()
        set_clock(self.directory, 0)

    # --- workers

    def workers(self, role: str) -> list[Worker]:
        """Those of a role that the supervisor keeps running."""
        return [worker for worker in self.supervisor.workers if worker.role == role]

    def some_worker(self, role: str = "") -> Worker:
        """One of a role, or of any."""
        return self.chance.choice(self.workers(role or self.chance.choice(("decide", "decide", "history"))))

    def add(self, role: str) -> Worker:
        """Launch one more worker.

        Options: `proxied`: what it reaches through its proxy; `named`: it is a static member; `rocksdb`: its
        ledger is on disk, too.
        """
        number = len(list(self.directory.glob(f"{role}-*"))) + 1
        directory = self.directory / f"{role}-{number}"
        settings = self.ground.settings(self._options.get("proxied", ""))
        if self._options.get("named"):
            settings = settings.with_(instance=f"w{number}")
        if self._options.get("rocksdb"):
            settings = settings.with_(instance=f"w{number}", ledger=f"rocksdb://{directory}/ledger")
        worker = FaultyWorker(role, number, settings.environ(), directory)
        worker.launch()
        self.supervisor.workers.append(worker)
        return worker

    def remove(self, worker: Worker) -> None:
        """Let a worker leave, as an operator does (SIGTERM)."""
        self.supervisor.workers.remove(worker)
        worker.stop()

    def strike(self, point: str, role: str, then: Callable[[], object] | None = None) -> None:
        """Let the next worker of a role that comes to this point die there, and wait for it.

        `then` brings it about; without it the work that goes on does. Nobody dies where the work is done by then.
        """
        armed = self.directory / f"{point}-{role}"
        armed.touch()
        if then is not None:
            then()
        self.wait(lambda: not armed.exists() or (then is None and self.done()), f"a worker dies {point}")
        self.strikes += not armed.exists()
        armed.unlink(missing_ok=True)

    # --- time

    def moments(self, count: int, first: float = 0.1, last: float = 0.9) -> list[float]:
        """Shares of the workload at which something happens."""
        return sorted(self.chance.uniform(first, last) for _ in range(count))

    def until(self, share: float) -> None:
        """Wait until so much is written."""
        self.wait(lambda: self.feeder.share >= share, f"{share:.0%} of the workload is written")

    def sleep(self, seconds: float) -> None:
        """Let time pass, and keep workers running."""
        end = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() >= end)

    def wait(self, ask: Callable[[], Any], what: str = "it", seconds: float = PATIENCE_S) -> None:
        """Wait for a condition, and keep workers running meanwhile."""
        until, away = time.monotonic() + seconds, ""
        while True:
            self.supervisor.watch()
            try:
                if ask():
                    return
            except PartError as error:  # the broker or ClickHouse is away at this moment
                away = f" ({error})"
            assert time.monotonic() < until, f"{what}: not within {seconds:.0f} s{away}; {self.keep_logs()}"
            time.sleep(0.05)

    # --- the run

    def __enter__(self) -> Scene:
        self._exit.callback(self.supervisor.stop)
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def start_workers(self) -> None:
        """Start them, and wait until they own all partitions."""
        for role, count in self._count.items():
            for _ in range(count):
                self.add(role)
        for role in self._count:
            self.wait_owned(role)

    def wait_owned(self, role: str) -> None:
        """Wait until the workers of a role own all partitions, so that no rebalance is under way."""
        self.wait(lambda: sum(w.assigned() for w in self.workers(role)) >= PARTITIONS, f"{role} runs")

    def start_feeding(self, workload: Workload, marks: Mapping[tuple[str, int], int]) -> None:
        """Start the observer and the feeder."""
        bootstrap = self.ground.kafka.bootstrap
        self.observer = Observer(bootstrap, marks)
        self.observer.start()
        self._exit.callback(self.observer.stop)
        self.feeder = Feeder(bootstrap, workload, self._first_stage_decided)
        self.feeder.start()
        self._exit.callback(self.feeder.stop)

    def _first_stage_decided(self) -> bool:
        try:
            return not self.ground.reader.behind(DECIDE, FIRST)
        except PartError:
            return False

    def settle(self) -> None:
        """Wait until all is written, and both groups have committed all of it and what followed from it."""
        self.wait(lambda: not self.feeder.is_alive(), "the workload is written")
        assert not self.feeder.failed, f"the feeder could not write: {self.feeder.failed[:3]}"
        for _ in range(2):  # the history reads what decide sends
            for group in READS:
                self.wait_read(group)

    def wait_read(self, group: str) -> None:
        """Wait until a group has committed everything."""
        behind: dict[Place, tuple[int, int]] = {}

        def read() -> bool:
            behind.clear()
            behind.update(self.ground.reader.behind(group, READS[group]))
            return not behind

        try:
            self.wait(read, f"{group} has read all")
        except AssertionError as error:
            raise AssertionError(f"{error}; it is behind: {behind}") from None

    def done(self) -> bool:
        """Whether all is written and read."""
        return not self.feeder.is_alive() and not any(self.ground.reader.behind(g, t) for g, t in READS.items())

    def went_back(self) -> bool:
        """Whether a worker ended itself since it read records again that are decided (`dispatch.WentBackError`)."""
        logs = self.directory.rglob("*.log")
        return any("was read again from offset" in log.read_text("utf-8", "replace") for log in logs)

    def keep_logs(self) -> str:
        """Copy the workers' logs, with their stacks, and their metrics to where they outlive the run; says where."""
        place = Path(tempfile.mkdtemp(prefix="yupan-faults-logs-"))
        for worker in self.supervisor.workers:
            worker.send(signal.SIGUSR1)
        time.sleep(0.5)
        for worker in self.supervisor.workers:
            shutil.copy(worker.log, place)
            with contextlib.suppress(OSError):
                shown = urllib.request.urlopen(f"http://{worker.metrics}/metrics", timeout=5).read()
                (place / f"{worker.name}.metrics").write_bytes(shown)
        return f"the workers' logs are kept in {place}"
