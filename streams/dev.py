"""Everything of Yupan on this machine: broker, ClickHouse, topics, tables, workers (`yupan dev`, `yupan demo`)."""

from __future__ import annotations

import fcntl
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from schemas.errors import PartError
from sinks.clickhouse import ClickHouse, open_clickhouse
from streams.parts.clickhouse_server import ClickHouseServer
from streams.parts.kafka import Kafka
from streams.parts.ports import HOST, free_port
from streams.parts.tansu import Tansu
from streams.settings import Settings
from streams.supervisor import Supervisor
from streams.topology import roles

PARTITIONS = 4


class Stack:
    """The running whole; a context manager. `settings` are what other commands need to join in."""

    def __init__(
        self, settings: Settings, broker: str, clickhouse: str, workers: int, directory: Path | None = None
    ) -> None:
        self.directory = directory or Path(tempfile.mkdtemp(prefix="yupan-dev-"))
        self._temporary = directory is None
        self.broker = Kafka(self._kept("kafka", directory)) if broker == "kafka" else Tansu()
        self.server: ClickHouseServer | None = None
        self._kind = clickhouse
        self._workers = workers
        self._exit = ExitStack()
        self.settings = settings
        self.supervisor: Supervisor | None = None
        self.clickhouse: ClickHouse
        """chDB's own handle, whose directory belongs to this process, or a connection to the server."""

    @staticmethod
    def _kept(name: str, directory: Path | None) -> Path | None:
        return None if directory is None else directory / name

    def __enter__(self) -> Stack:
        if self._temporary:
            self._exit.callback(shutil.rmtree, self.directory, ignore_errors=True)
        try:
            self._start()
        except BaseException:
            self._exit.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self._exit.close()

    def _start(self) -> None:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PartError(f"--data {self.directory}: cannot be made ({error.strerror}); name another") from None
        if not self._temporary:
            self._exit.enter_context(_sole_user(self.directory))
        self._exit.enter_context(self.broker)
        self.settings = self.settings.with_(
            kafka=self.broker.bootstrap,
            clickhouse=self._start_clickhouse(),
            metrics=f"{HOST}:{free_port()}",
            instance="",
            **self._for_tansu(),
        )
        self._make_topics()
        self._migrate()
        self._start_workers()

    def _for_tansu(self) -> dict[str, object]:
        """What Tansu needs otherwise (design §7, §9): no sound transactions, and it never wakes a waiting fetch."""
        if not isinstance(self.broker, Tansu):
            return {"delivery": "exactly_once"}
        return {"delivery": "at_least_once", "kafka_config": {"fetch.wait.max.ms": "2"}}

    def _start_clickhouse(self) -> str:
        if self._kind == "server":
            server = self.server = ClickHouseServer(self._kept("clickhouse", self.directory))
            self._exit.enter_context(server)
            self.clickhouse = self._exit.enter_context(closing(open_clickhouse(server.dsn)))
            return server.dsn
        from sinks.embedded import Embedded
        from sinks.remote import RemoteServer

        embedded = Embedded(str((self.directory / "chdb").resolve()))
        self.clickhouse = self._exit.enter_context(closing(embedded))
        return self._exit.enter_context(closing(RemoteServer(embedded))).dsn

    def _make_topics(self) -> None:
        from sinks.admin import Admin

        Admin(self.settings.kafka, self.settings.kafka_config).apply(self.settings.partitions)

    def _migrate(self) -> None:
        from sinks.migrate import migrate

        migrate(self.clickhouse)

    def _start_workers(self) -> None:
        if not self._workers:
            return
        supervisor = Supervisor(
            roles(self.settings), self._workers, self.settings.environ(), self.directory / "workers"
        )
        self.supervisor = supervisor
        self._exit.callback(supervisor.stop)
        supervisor.start(self.settings.partitions)

    def watch(self) -> None:
        """Keep the workers running; raises `PartError` when the broker has ended."""
        if not self.broker.alive:
            kept = not self._temporary and isinstance(self.broker, Kafka)
            log = f"; its log is under {self.directory}" if kept else ""
            raise PartError(f"the broker has ended{log}; without it nothing can run: start again")
        if self.supervisor is not None:
            self.supervisor.watch()

    def reload(self) -> None:
        """Have the workers that decide read their checks anew."""
        if self.supervisor is not None:
            self.supervisor.reload()

    def announce(self, file: Path | None) -> None:
        """Print the settings as `export` lines, and write them as one JSON object to `file` (by rename)."""
        environment = self.settings.environ_elsewhere()
        if file is not None:
            part = file.with_name(file.name + ".part")
            part.write_text(json.dumps(environment) + "\n", "utf-8")
            part.replace(file)
        for line in exports(environment):  # on stdout and bare, so that a shell can take them
            sys.stdout.write(line + "\n")
        sys.stdout.flush()


@contextmanager
def _sole_user(directory: Path) -> Iterator[None]:
    """Keep a second `dev` off the directory; the lock ends with the process, whatever kills it."""
    try:
        file = (directory / ".yupan.lock").open("a")
    except OSError as error:
        raise PartError(f"--data {directory}: cannot be written ({error.strerror}); name another") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PartError(f"--data {directory}: another `yupan dev` uses it; stop that, or name another") from None
        yield


def settings_for_dev() -> Settings:
    """The settings as others load them, with fewer partitions unless they say how many."""
    return Settings.load(partitions=PARTITIONS)


def exports(environment: dict[str, str]) -> Sequence[str]:
    """Lines for a shell."""
    return [f"export {name}='{value}'" for name, value in environment.items()]
