"""What outlives a run: a broker (or three), ClickHouse, topics and tables; with proxies before the two."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sinks.admin import Admin
from sinks.clickhouse import ClickHouse, open_clickhouse
from sinks.migrate import migrate
from streams.engine.deadlines import PREFIX as DUE
from streams.parts.clickhouse_server import ClickHouseServer
from streams.parts.kafka import Kafka
from streams.parts.ports import HOST, free_port
from streams.settings import Settings
from tests.faults import checks
from tests.faults.answer import ACT_WITHIN
from tests.faults.proxy import Proxy
from tests.faults.seen import Reader
from tests.faults.workload import DEADLINES, PARTITIONS, REPAIRS

LISTS = ("~list/", "~listed/")
"""Ledger records of lists, which all runs share."""
SESSION_MS = 6_000
"""The shortest session that Kafka's defaults allow: a paused worker is out after it."""


class Ground:
    """A context manager. Runs follow one another on it, each with customers of its own."""

    def __init__(self, brokers: int = 1) -> None:
        self.kafka = Kafka(nodes=brokers)
        self.server = ClickHouseServer()
        self.heads: dict[tuple[int, str], Any] = {}
        """The ledger's records that belong to no customer, left behind by the runs so far."""
        self.earlier: set[str] = set()
        """Whose deadlines the runs so far have left armed: some fall due in a later run, beside others of theirs."""
        self.clickhouse: ClickHouse
        self.reader: Reader
        self.proxies: dict[str, Proxy] = {}
        """Before `broker`, where there is only one, and before `clickhouse`."""
        self.directory: Path
        self._exit = ExitStack()

    def __enter__(self) -> Ground:
        try:
            self.directory = Path(self._exit.enter_context(TemporaryDirectory(prefix="yupan-faults-")))
            self._checks = checks.write(self.directory / "checks")
            if len(self.kafka.nodes) == 1:
                self.proxies["broker"] = self._exit.enter_context(self._proxied())
            self.proxies["clickhouse"] = self._exit.enter_context(Proxy(self.server.port))
            self._exit.enter_context(self.kafka)
            self._exit.enter_context(self.server)
            self.clickhouse = self._exit.enter_context(closing(open_clickhouse(self.server.dsn)))
            Admin(self.kafka.bootstrap).apply(PARTITIONS)
            migrate(self.clickhouse)
            self.reader = self._exit.enter_context(closing(Reader(self.kafka.bootstrap)))
        except BaseException:
            self._exit.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def _proxied(self) -> Proxy:
        """A second listener of the broker, which tells its clients to come by the proxy."""
        node, behind = self.kafka.nodes[0], free_port()
        proxy = Proxy(behind)
        own = f"PLAINTEXT://{HOST}:{node.port}"
        node.properties |= {
            "listeners": f"{own},CONTROLLER://{HOST}:{node.controller_port},PROXIED://{HOST}:{behind}",
            "advertised.listeners": f"{own},PROXIED://{HOST}:{proxy.port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT",
        }
        return proxy

    def settings(self, proxied: str = "") -> Settings:
        """Those of a worker on this ground; what it reaches through its proxy is named by `proxied`."""
        bootstrap, clickhouse = self.kafka.bootstrap, self.server.dsn
        if proxied == "broker":
            bootstrap = f"{HOST}:{self.proxies[proxied].port}"
        elif proxied:
            clickhouse = clickhouse.replace(f":{self.server.port}/", f":{self.proxies[proxied].port}/")
        return Settings().with_(
            kafka=bootstrap,
            kafka_config={"session.timeout.ms": str(SESSION_MS)},
            clickhouse=clickhouse,
            partitions=PARTITIONS,
            deadlines=DEADLINES,
            repairs=REPAIRS,
            checks=(str(self._checks),),
            act_within=ACT_WITHIN,
        )

    def remember(self, changes: Mapping[tuple[int, str], Any]) -> None:
        """Keep what a run has left for the next."""
        self.heads |= {place: record for place, record in changes.items() if place[1].startswith(LISTS)}
        self.earlier |= {key.removeprefix(DUE) for _, key in changes if key.startswith(DUE)}


def set_clock(directory: Path, ms: int) -> None:
    """Let the workers' clocks go wrong by so many milliseconds from now on (`tests.faults.worker`)."""
    file = directory / "clock"
    with file.open("r+b" if file.exists() else "wb") as out:
        out.write(struct.pack("<q", ms))
