"""The reference work on stock Faust: its own transport, a table in memory with its changelog, at least once."""

from __future__ import annotations

from typing import Any

import faust

from benchmarks.reference.work import COMMIT_MS, PARTITIONS, Job, decide, decoder


def run(job: Job) -> None:
    """Run until SIGTERM."""
    app = faust.App(
        job.group,
        broker=f"kafka://{job.bootstrap}",
        store="memory://",
        datadir=job.directory,
        autodiscover=False,
        web_enabled=False,
        topic_partitions=PARTITIONS,
        topic_replication_factor=1,
        topic_disable_leader=True,
        broker_commit_interval=COMMIT_MS / 1000,
        consumer_auto_offset_reset="earliest",
        producer_acks=-1,
        stream_wait_empty=False,
    )
    _bind(app, job)
    worker = faust.Worker(app, loglevel="WARN", redirect_stdouts=False, quiet=True)
    worker.spinner = None
    worker.execute_from_commandline()


def _bind(app: faust.App, job: Job) -> None:
    raw: dict[str, Any] = {"key_serializer": "raw", "value_serializer": "raw"}
    source, out = app.topic(job.source, **raw), app.topic(job.out, **raw)
    table = app.Table("work", partitions=PARTITIONS)
    decode = decoder()

    @app.agent(source)
    async def work(stream: Any) -> None:
        async for event in stream.events():
            record = decode(event.value)
            customer = record["msisdn"]
            state, output = decide(table.get(customer), record)
            table[customer] = state
            if output is not None:
                await out.send(key=event.key, value=output)
