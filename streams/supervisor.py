"""Workers as processes: started, watched, started again when they end on a fatal error, stopped together.

A worker whose transaction was fenced, or whose abort failed, ends itself (design §5); somebody has to
start it anew. In production that is systemd or Kubernetes, in `dev`, `demo` and `worker --role all` it is this.
"""

from __future__ import annotations

import signal
import socket
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain, repeat
from pathlib import Path

from schemas.errors import PartError, UsageError, YupanError
from streams.parts.part import Part, say
from streams.parts.ports import HOST, free_port
from streams.running import until_signalled
from streams.settings import Settings
from streams.topology import roles

PATIENCE_S = 1.0
"""The least time between two starts of the same worker, so that a worker that cannot run does not spin."""
MOST_PATIENCE_S = 60.0
"""The time between two starts grows up to this while a worker ends by our own fault again and again: every start
of one that can use no event would dead-letter some more of them."""
RELOAD_S = 10.0
RELOADED = "the checks "
"""How a worker's log begins to say what has become of its checks (`streams.reloading`)."""
_PREFIX = "yupan: "
_ERRORS = {error.exit_code: error for error in (UsageError, PartError, YupanError)}


class Worker(Part):
    """One worker process of a role, with a metrics endpoint of its own."""

    start_s = 60.0
    remedy = "its log says why"
    holds_hang_ups = True

    def __init__(self, role: str, number: int, settings: Mapping[str, str], directory: Path, metrics: str = "") -> None:
        """`metrics`: the address of its metrics; without one it gets a free port."""
        super().__init__(directory)
        self.role = role
        self.name = f"worker-{role}-{number}"
        self.metrics = metrics or f"{HOST}:{free_port()}"
        self._settings = {**settings, "YUPAN_METRICS": self.metrics}
        self.started_at = 0.0
        self.patience_s = PATIENCE_S
        self._reached = False

    def command(self) -> list[str]:
        """This interpreter, so that the worker runs the same code."""
        return [sys.executable, "-m", "streams", "worker", "--role", self.role]

    def environment(self) -> Mapping[str, str]:
        return self._settings

    def launch(self) -> None:
        """Start the process and remember when."""
        self.started_at = time.monotonic()
        super().launch()

    def wait_ready(self) -> None:
        """See `Part`. Raises the error with which the worker has ended, in its own words."""
        try:
            super().wait_ready()
        except PartError:
            self._raise_its_error()
            raise

    def require_start(self) -> None:
        """Raise the error with which the worker has ended, unless it ever reached its broker."""
        if self._reached:
            return
        self._reached = self.read("yupan_broker_up") > 0
        if not self._reached and not self.alive:
            self._raise_its_error()
            raise self._failed(f"ended with code {self.exit_code} before it was ready")

    def _raise_its_error(self) -> None:
        said, error = self._last_line(), _ERRORS.get(self.exit_code or 0)
        if error is not None and said.startswith(_PREFIX):
            raise error(f"{self.name}: {said.removeprefix(_PREFIX)}") from None

    def restart(self) -> str:
        """Start it again after it has ended; returns how it ended."""
        ended = f"ended with code {self.exit_code}"
        lasted = time.monotonic() - self.started_at
        ours = self.exit_code == YupanError.exit_code and lasted < MOST_PATIENCE_S + self.patience_s
        self.patience_s = min(2 * self.patience_s, MOST_PATIENCE_S) if ours else PATIENCE_S
        self.stop()
        self.launch()
        return ended

    def reload(self) -> int:
        """Have it read its checks anew; from where on its log tells what has become of that."""
        known = self.log.stat().st_size
        self.send(signal.SIGHUP)
        return known

    def reloaded(self, known: int) -> str:
        """What its log says, from `known` on, of the checks that it was to read anew."""
        give_up = time.monotonic() + RELOAD_S
        while time.monotonic() < give_up:
            with self.log.open("rb") as log:
                log.seek(known)
                said = log.read().decode("utf-8", "replace").partition(RELOADED)
            if said[1] and "\n" in said[2]:
                return RELOADED + said[2].partition("\n")[0]
            time.sleep(0.1)
        return f"has not said yet what has become of its checks; its log: {self.log}"

    def _last_line(self) -> str:
        lines = self.log.read_text("utf-8", "replace").splitlines()
        return lines[-1] if lines else ""

    def ready(self) -> bool:
        """Whether it shows its metrics and has been given partitions."""
        return self.assigned() > 0

    def assigned(self) -> int:
        """How many partitions it owns; 0 while it does not answer."""
        return int(self.read("yupan_assigned_partitions"))

    def read(self, name: str) -> float:
        """The sum of a metric's series as the worker shows it now; 0 while it does not answer."""
        return (self.shown() or {}).get(name, 0.0)

    def shown(self) -> Mapping[str, float] | None:
        """The sums of all metrics' series as the worker shows them now; None while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://{self.metrics}/metrics", timeout=2) as answer:
                text = answer.read().decode()
        except OSError:
            return None
        sums: defaultdict[str, float] = defaultdict(float)
        for series, value in (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")):
            sums[series.partition("{")[0]] += float(value)
        return sums


class Supervisor:
    """A set of workers that is kept running. The first one serves its metrics on YUPAN_METRICS."""

    def __init__(self, roles: Sequence[str], count: int, settings: Mapping[str, str], directory: Path) -> None:
        addresses = chain([_usable(settings.get("YUPAN_METRICS", ""))], repeat(""))
        self.workers = [
            Worker(role, n, settings, directory / f"{role}-{n}", next(addresses))
            for role in roles
            for n in range(1, count + 1)
        ]
        self.restarts = 0

    def start(self, partitions: int) -> None:
        """Start all and wait until they own all partitions. Raises `PartError` with the end of a worker's log."""
        self.launch()
        for role in sorted({w.role for w in self.workers}):
            self._wait_owned([w for w in self.workers if w.role == role], partitions)

    def launch(self) -> None:
        """Start all, and wait for nothing: beside other workers of a role they may own few partitions, or none."""
        for worker in self.workers:
            worker.launch()

    def _wait_owned(self, workers: Sequence[Worker], partitions: int) -> None:
        workers[0].wait_ready()
        give_up = time.monotonic() + workers[0].start_s
        while sum(w.assigned() for w in workers) < partitions and time.monotonic() < give_up:
            time.sleep(0.1)

    def watch(self) -> None:
        """Start again what has ended; call it every so often."""
        for worker in self.workers:
            if not worker.alive and time.monotonic() - worker.started_at > worker.patience_s:
                self.restarts += 1
                say(f"{worker.name} {worker.restart()} and is started again; its log: {worker.log}")

    def reload(self) -> None:
        """Have those that decide read their checks anew."""
        asked = [(worker, worker.reload()) for worker in self.workers if worker.role == "decide" and worker.alive]
        for worker, known in asked:
            say(f"{worker.name}: {worker.reloaded(known)}")

    def stop(self) -> None:
        """Stop all, at the same time."""
        for worker in self.workers:
            worker.send(worker.stop_signal())
        for worker in self.workers:
            worker.stop()


def _usable(address: str) -> str:
    """`address` when it names a port that is free, else nothing."""
    host, _, port = address.rpartition(":")
    if port in ("", "0"):
        return ""
    try:
        with socket.create_server((host, int(port))):
            return address
    except OSError:
        return ""


def run_all(settings: Settings) -> int:
    """One worker of each role, kept running until SIGTERM or SIGINT (`yupan worker --role all`).

    SIGHUP is passed on to the worker that decides, unless it says that the terminal was closed.
    """
    with until_signalled(reloads=True) as stopped, tempfile.TemporaryDirectory(prefix="yupan-workers-") as directory:
        environ = {**settings.environ(), "YUPAN_METRICS": settings.metrics}  # shared out here, wherever it is said
        supervisor = Supervisor(roles(settings), 1, environ, Path(directory))
        try:
            supervisor.launch()
            for worker in supervisor.workers:
                say(f"{worker.name} starts; metrics on http://{worker.metrics}/metrics, log {worker.log}")
            while not stopped.wait(0.5):
                for worker in supervisor.workers:
                    worker.require_start()  # what could not start at all would only fail again
                supervisor.watch()
                if stopped.take_hang_up():
                    supervisor.reload()
        finally:
            supervisor.stop()
    return 0
