"""Apache Kafka in KRaft mode as plain Java processes: one node, or several for the fault tests."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from schemas.errors import PartError
from streams.parts.jars import java, kafka_jars
from streams.parts.part import Part
from streams.parts.ports import HOST, free_port
from streams.parts.wire import live_brokers

_FORMAT_S = 60
_WHOLE_S = 30
_JVM = ("-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-Djava.awt.headless=true", "-Dlog4j2.level=WARN")


class KafkaNode(Part):
    """One broker and controller of a cluster. Its data and ports stay over `kill` and `start`."""

    start_s = 60.0
    remedy = "Apache Kafka needs Java 17 or newer and about 1 GB of memory"

    def __init__(self, number: int, directory: Path | None, heap: str) -> None:
        super().__init__(directory)
        self.name = f"kafka-{number}"
        self.number = number
        self.port = free_port()
        self.controller_port = free_port()
        self.cluster_id = ""
        self.properties: dict[str, str] = {}
        self._heap = heap

    def stop_signal(self) -> signal.Signals:
        """Return SIGTERM where data is kept; what is thrown away is spared Kafka's farewell of 5 s."""
        return signal.SIGKILL if self.is_temporary else signal.SIGTERM

    def prepare(self) -> None:
        """Write server.properties and format the storage, once."""
        own = {
            "node.id": str(self.number),
            "listeners": f"PLAINTEXT://{HOST}:{self.port},CONTROLLER://{HOST}:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{self.port}",
            "log.dirs": str(self.directory / "data"),
        }
        lines = [f"{key}={value}\n" for key, value in {**own, **self.properties}.items()]
        self._config.write_text("".join(lines))
        if not (self.directory / "data" / "meta.properties").exists():
            self._format()

    def command(self) -> list[str]:
        return [*self._java(), f"-Xmx{self._heap}", *_JVM, "kafka.Kafka", str(self._config)]

    def ready(self) -> bool:
        """Whether this broker answers metadata requests, which it does once it is unfenced."""
        return live_brokers(self.port) > 0

    @property
    def sees(self) -> int:
        """How many live brokers this one names."""
        return live_brokers(self.port)

    @property
    def _config(self) -> Path:
        return self.directory / "server.properties"

    def _java(self) -> list[str]:
        return [java(), "-cp", f"{kafka_jars()}/*"]

    def _format(self) -> None:
        tool = ["kafka.tools.StorageTool", "format", "-t", self.cluster_id, "-c", str(self._config)]
        done = subprocess.run(
            [*self._java(), *tool],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_FORMAT_S,
        )
        self.log.write_text(done.stdout + done.stderr)
        if done.returncode != 0:
            raise self._failed("could not format its storage")


class Kafka:
    """An Apache Kafka cluster on free loopback ports; a context manager.

    `nodes` brokers, each a controller, too; `heap` of each; `settings` go over the server properties.
    With a `directory` its data stays there and is found again by the next start.
    """

    def __init__(
        self,
        directory: Path | None = None,
        nodes: int = 1,
        heap: str = "768m",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.nodes: Sequence[KafkaNode] = [
            KafkaNode(number, directory / str(number) if directory else None, heap) for number in range(1, nodes + 1)
        ]
        voters = ",".join(f"{node.number}@{HOST}:{node.controller_port}" for node in self.nodes)
        cluster_id = _new_id()
        for node in self.nodes:
            node.cluster_id = cluster_id
            node.properties = {**_properties(nodes), "controller.quorum.voters": voters, **(settings or {})}

    @property
    def bootstrap(self) -> str:
        """The addresses for Kafka clients."""
        return ",".join(f"{HOST}:{node.port}" for node in self.nodes)

    @property
    def alive(self) -> bool:
        """Whether every node runs."""
        return all(node.alive for node in self.nodes)

    def start(self) -> Self:
        """Start all nodes and wait until each knows all. Raises PartError, and leaves nothing running."""
        try:
            for node in self.nodes:
                node.launch()
            for node in self.nodes:
                node.wait_ready()
            self._wait_whole()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop all nodes; temporary directories go."""
        for node in self.nodes:
            node.send(node.stop_signal())  # to all at once: the last one alone would wait for a quorum
        for node in self.nodes:
            node.stop()

    def _wait_whole(self) -> None:
        deadline = time.monotonic() + _WHOLE_S
        while any(node.sees < len(self.nodes) for node in self.nodes):
            if time.monotonic() > deadline:
                raise PartError(f"the Kafka nodes did not find each other in {_WHOLE_S} s; {KafkaNode.remedy}")
            time.sleep(0.05)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _properties(nodes: int) -> dict[str, str]:
    copies, in_sync = str(min(nodes, 3)), str(min(nodes, 3) // 2 + 1)
    return {
        "process.roles": "broker,controller",
        "controller.listener.names": "CONTROLLER",
        "auto.create.topics.enable": "false",
        "default.replication.factor": copies,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": copies,
        "offsets.topic.num.partitions": "8",
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": in_sync,
        "transaction.state.log.num.partitions": "8",
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
        # A killed node may come back once its old session has ended: 9 s are long in a test.
        "broker.heartbeat.interval.ms": "1000",
        "broker.session.timeout.ms": "4000",
        "group.initial.rebalance.delay.ms": "0",
        # Tests of lost workers want shorter sessions than the 45 s that the new protocol insists on.
        "group.consumer.min.session.timeout.ms": "3000",
        "group.consumer.min.heartbeat.interval.ms": "500",
        "log.cleaner.dedupe.buffer.size": str(16 * 2**20),
        "log.cleaner.backoff.ms": "2000",
    }


def _new_id() -> str:
    while True:
        text = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")
        if not text.startswith("-"):  # a tool would take it for an option
            return text
