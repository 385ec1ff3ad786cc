"""The reference work on Yupan's engine, as a worker without urgent topics runs it: exactly once, through Faust.

Without urgent topics a batch is all that a poll gave. What slices, the second consumer and the worker's metrics cost
is part of the slice (`benchmarks/slice`).
"""

from __future__ import annotations

from typing import Any

from benchmarks.reference.work import COMMIT_MS, PARTITIONS, Job, decide, decoder
from streams.app import build_app, run_app
from streams.engine.config import EngineConfig
from streams.engine.engine import Engine
from streams.topology import Binding


def run(job: Job, ledger: str) -> None:
    """Run until SIGTERM; `ledger` as in `EngineConfig`."""
    config = EngineConfig(
        bootstrap=job.bootstrap,
        group=job.group,
        topics=(job.source,),
        ledger=ledger,
        changelog=job.changelog,
        partitions=PARTITIONS,
        instance="benchmark",
        commit_ms=COMMIT_MS,
    )
    engine = Engine(config, dead_letter=_refuse)
    run_app(build_app("benchmark", engine, [Binding("work", [job.source], _working(job.out))]))


def _working(out: str) -> Any:
    decode = decoder()

    def process(batch: Any) -> None:
        for message in batch.messages:
            with batch.scope(message):
                record = decode(message.value())
                key = "work/" + record["msisdn"]
                state, output = decide(batch.get(key), record)
                batch.put(key, state)
                if output is not None:
                    batch.send(out, output, message.key())

    return process


def _refuse(cause: Any, error: Exception) -> Any:
    """Nothing in this work may fail."""
    raise error
