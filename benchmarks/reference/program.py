"""One system at the reference work, as a process of its own on its own core."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path

from benchmarks.common.pace import paced
from benchmarks.reference import kafka_streams, quix
from benchmarks.reference.work import Job
from streams.parts.part import Part

ROOT = Path(__file__).resolve().parents[2]
EVENTS = {
    "yupan": 1_200_000,
    "yupan_rocksdb": 1_200_000,
    "plain": 1_200_000,
    "plain_coalesced": 1_200_000,
    "faust": 40_000,
    "quix": 320_000,
    "kafka_streams": 2_400_000,
    "kafka_streams_eos": 2_400_000,
}
"""All systems, and of how many events a run consists, so that each has its 5 s of steady state."""
JVM = ("kafka_streams", "kafka_streams_eos")
"""Comes to it late: what is hot is compiled after some 400,000 events, on a slow machine, too."""
JVM_LEAST = 1_200_000


def events(quick: bool) -> dict[str, int]:
    """Of how many events a run of each system consists on this machine; quick: the JVM's runs are shorter."""
    counts = {system: paced(count) for system, count in EVENTS.items()}
    jvm = {system: max(counts[system] * 3 // 4 if quick else counts[system], JVM_LEAST) for system in JVM}
    return counts | jvm


class Program(Part):
    """The process; for `with`. It dies with its parent."""

    name = "program"

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job._replace(directory=str(self.directory))

    def command(self) -> list[str]:
        python = quix.python() if self._job.system == "quix" else sys.executable
        return [python, "-m", "benchmarks.reference.program", json.dumps(self._job)]

    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(ROOT)}

    def ready(self) -> bool:
        return True  # what it does is seen at the broker


def make_ready(system: str) -> None:
    """Fetch, build and install what a system needs, before anything is measured. Raises `PartError`."""
    if system == "quix":
        quix.python()
    elif system.startswith("kafka_streams"):
        kafka_streams.jars()


def cpu_seconds(pid: int) -> float:
    """What a process has used of all cores since its start."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(job: Job) -> None:
    """Run a system until SIGTERM. Only what it needs is imported."""
    os.sched_setaffinity(0, {job.core})
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    if job.system.startswith("yupan"):
        from benchmarks.reference import yupan

        yupan.run(job, f"rocksdb://{job.directory}/ledger" if job.system == "yupan_rocksdb" else "memory")
    elif job.system.startswith("plain"):
        from benchmarks.reference import plain

        plain.run(job, coalesced=job.system == "plain_coalesced")
    elif job.system == "quix":
        quix.run(job)
    elif job.system.startswith("kafka_streams"):
        kafka_streams.run(job)
    else:
        from benchmarks.reference import stock_faust

        stock_faust.run(job)


if __name__ == "__main__":
    run(Job(*json.loads(sys.argv[1])))
