"""A worker for the measurements of growth: the engine in Faust, with one small agent.

`states`: an event replaces one of its customer's states, in a record as the ledger has them (300 bytes).
`deadlines`: an event may arm a deadline of its customer; a fired one is told to the output topic.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from agents.states import states_key
from benchmarks.reference.work import COMMIT_MS, PARTITIONS, decoder
from streams.engine.metrics import NullMetrics
from streams.parts.part import Part

ROOT = Path(__file__).resolve().parents[2]
encode = msgspec.msgpack.Encoder().encode
unpack = msgspec.msgpack.Decoder().decode
RECOVERED = "recovered.json"


class Options(NamedTuple):
    """Whom to be, and what to read and write."""

    agent: str
    bootstrap: str
    group: str
    source: str
    out: str
    changelog: str
    ledger: str
    instance: str
    cores: tuple[int, ...]


class Program(Part):
    """The process; for `with`. Its directory outlives it when it is given."""

    name = "program"
    start_s = 300.0

    def __init__(self, options: Options, directory: Path | None = None) -> None:
        super().__init__(directory)
        self._options = options

    def command(self) -> list[str]:
        return [sys.executable, "-m", "benchmarks.growth.program", json.dumps(self._options), str(self.directory)]

    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(ROOT)}

    def prepare(self) -> None:
        (self.directory / RECOVERED).unlink(missing_ok=True)

    def ready(self) -> bool:
        """Whether all partitions are restored (a lone worker owns them all)."""
        return (self.directory / RECOVERED).exists()

    def recovered(self) -> dict[str, float]:
        """What the recovery read, and how long it took: `records`, `seconds`."""
        found: dict[str, float] = json.loads((self.directory / RECOVERED).read_text())
        return found

    def most_memory_mb(self) -> int:
        """The most that the process has had resident."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) // 1024

    def memory_mb(self) -> int:
        """What it has resident now."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) // 1024


class Recovery(NullMetrics):
    """Writes down how long it took from the first restore's start to the last one's end."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / RECOVERED
        self._restores: list[tuple[float, float, int]] = []

    def restored(self, records: int, seconds: float) -> None:
        now = time.monotonic()
        self._restores.append((now - seconds, now, records))
        if len(self._restores) == PARTITIONS:
            took = max(end for _, end, _ in self._restores) - min(start for start, _, _ in self._restores)
            told = {"records": sum(each for *_, each in self._restores), "seconds": round(took, 3)}
            part = self._file.with_suffix(".part")
            part.write_text(json.dumps(told))
            part.replace(self._file)


def states(out: str) -> Any:
    """The agent of that name."""
    decode = decoder()

    def process(batch: Any) -> None:
        for message in batch.messages:
            with batch.scope(message):
                event = decode(message.value())
                key = states_key(event["msisdn"])
                before = batch.get(key)
                name = f"{event['system']}.{event['attribute']}"
                number = event["sequence"]
                entry = [event["value"], event["occurred_at"], "ocs-nanchang", number, f"{number:025x}", []]
                held = {} if before is None else before["held"]
                batch.put(key, {"v": 1, "held": {**held, name: entry}})

    return process


def deadlines(out: str) -> Any:
    """The agent of that name; an event is `[customer, due time or 0]`."""

    def process(batch: Any) -> None:
        for message in batch.messages:
            with batch.scope(message):
                customer, due_at = unpack(message.value())
                if due_at:
                    batch.arm(customer, "growth", due_at, (message.topic(),))
        for fired in batch.fired:
            with batch.scope(fired):
                batch.send(out, encode([fired.customer, fired.due_at]), fired.customer.encode())

    return process


def refuse(cause: Any, error: Exception) -> Any:
    """Nothing in this work may fail."""
    raise error


def run(options: Options, directory: Path) -> None:
    """Run until SIGTERM."""
    os.sched_setaffinity(0, options.cores)
    from streams.app import build_app, run_app
    from streams.engine.config import EngineConfig
    from streams.engine.engine import Engine
    from streams.topology import Binding

    config = EngineConfig(
        bootstrap=options.bootstrap,
        group=options.group,
        topics=(options.source,),
        ledger=options.ledger,
        changelog=options.changelog,
        partitions=PARTITIONS,
        instance=options.instance,
        commit_ms=COMMIT_MS,
        restore_wait_ms=0,
    )
    engine = Engine(config, dead_letter=refuse, metrics=Recovery(directory))
    agent = {"states": states, "deadlines": deadlines}[options.agent]
    run_app(build_app("growth", engine, [Binding(options.agent, [options.source], agent(options.out))]))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("faust").setLevel(logging.WARNING)
    logging.getLogger("mode").setLevel(logging.WARNING)
    run(Options(*json.loads(sys.argv[1])), Path(sys.argv[2]))
