"""A deciding worker with all its agents, and one agent more that tells of each event when it was appended.

Options as one JSON argument, of `Options`. It is built as `streams.worker` builds the role `decide`, so that what a
start and a rebalance cost is what they cost a real worker: its imports, its checks, all of its topics.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from streams.parts.part import Part

ROOT = Path(__file__).resolve().parents[2]
PARTITIONS = 12
encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder().decode


class Options(NamedTuple):
    """Whom to be."""

    bootstrap: str
    group: str
    source: str
    out: str
    changelog: str
    protocol: str
    session_ms: int
    instance: str
    core: int
    ledger: str = "memory"
    """`memory`, or `rocksdb`: in the worker's own directory."""


class Worker(Part):
    """The process; for `with`."""

    name = "worker"

    def __init__(self, options: Options) -> None:
        super().__init__()
        self._options = options._replace(
            ledger=f"rocksdb://{self.directory}" if options.ledger == "rocksdb" else options.ledger
        )

    def command(self) -> list[str]:
        return [sys.executable, "-m", "benchmarks.handover.worker", json.dumps(self._options)]

    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(ROOT)}

    def ready(self) -> bool:
        return True  # what it owns is seen at its outputs


def telling(out: str) -> Any:
    """The agent: counts the customer's events, and sends `[sequence, broker time of the event, who decided it]`."""
    who = os.getpid()

    def process(batch: Any) -> None:
        for message in batch.messages:
            with batch.scope(message):
                key = "told/" + message.key().decode()
                before = batch.get(key)
                batch.put(key, {"n": 1 if before is None else before["n"] + 1})
                told = [decode(message.value()), message.timestamp()[1], who]
                batch.send(out, encode(told), message.key(), partition=message.partition())

    return process


def run(options: Options) -> None:
    """Run until SIGTERM."""
    from agents.rules import load_checks
    from schemas.codec import codecs
    from streams import topology
    from streams.app import build_app, run_app
    from streams.engine.clock import SystemClock
    from streams.engine.config import EngineConfig
    from streams.engine.engine import Engine
    from streams.metrics import EngineHooks, Metrics
    from streams.refusal import Refusal
    from streams.settings import Settings

    settings, metrics = Settings().with_(kafka=options.bootstrap, partitions=PARTITIONS), Metrics()
    bindings = topology.decide(settings, codecs(), load_checks(settings.checks, settings.deadlines), metrics)
    bindings.append(topology.Binding("telling", [options.source], telling(options.out)))
    config = EngineConfig(
        bootstrap=options.bootstrap,
        group=options.group,
        topics=topology.topics(bindings),
        ledger=options.ledger,
        changelog=options.changelog,
        partitions=PARTITIONS,
        instance=options.instance,
        group_protocol="consumer" if options.protocol == "consumer" else "classic",
        session_ms=options.session_ms,
    )
    refusal = Refusal(options.group, SystemClock())
    engine = Engine(config, dead_letter=refusal, metrics=EngineHooks(metrics, "decide"))
    run_app(build_app("decide", engine, bindings))


def main() -> None:
    """Start, on the core that the options name."""
    options = Options(*json.loads(sys.argv[1]))
    os.sched_setaffinity(0, {options.core})
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("faust").setLevel(logging.WARNING)
    logging.getLogger("mode").setLevel(logging.WARNING)
    run(options)


if __name__ == "__main__":
    main()
