"""The reference work on Quix Streams: state in RocksDB with its changelog, at least once.

It runs in an environment of its own: this release of Quix Streams refuses the confluent-kafka that Yupan needs.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.reference.prefetch import CONSUMER, PRODUCER
from benchmarks.reference.work import COMMIT_MS, Job, decide, decoder
from schemas.errors import PartError
from streams.parts.jars import kept
from streams.parts.part import say

LOCK = Path(__file__).resolve().parents[1] / "requirements-quix.lock"
_INSTALL_S = 600


def python() -> str:
    """The interpreter of the environment, which is made at first use. Raises `PartError`."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    name = f"quix-{version}-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    return str(kept(name, "Quix Streams", _install) / "bin" / "python")


def _install(folder: Path) -> None:
    say("installing Quix Streams from the Python package registry (130 MB, once)")
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    steps = [
        [sys.executable, "-m", "venv", str(folder)],
        [*pip, "install", "--require-hashes", "--only-binary", ":all:", "-r", str(LOCK)],
    ]
    for step in steps:
        done = subprocess.run(step, check=False, capture_output=True, text=True, timeout=_INSTALL_S)
        if done.returncode != 0:
            raise PartError(f"Quix Streams could not be installed:\n{done.stderr[-1_000:]}")


def run(job: Job) -> None:
    """Run until SIGTERM."""
    from quixstreams import Application

    app = Application(
        job.bootstrap,
        consumer_group=job.group,
        auto_offset_reset="earliest",
        auto_create_topics=False,
        commit_interval=COMMIT_MS / 1000,
        consumer_extra_config=CONSUMER,
        producer_extra_config=PRODUCER,
        state_dir=job.directory,
        loglevel="WARNING",
    )
    source = app.topic(job.source, key_deserializer="bytes", value_deserializer="bytes")
    out = app.topic(job.out, key_serializer="bytes", value_serializer="bytes")
    outputs = app.dataframe(source).apply(_working(), stateful=True)
    outputs.filter(lambda output: output is not None).to_topic(out)
    app.run()


def _working() -> Any:
    decode = decoder()

    def work(value: bytes, state: Any) -> bytes | None:
        after, output = decide(state.get("work"), decode(value))
        state.set("work", after)
        return output

    return work
