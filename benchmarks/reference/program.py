"""One system at the reference work, as a process of its own on its own core."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path

from benchmarks.reference.work import Job
from streams.parts.part import Part

ROOT = Path(__file__).resolve().parents[2]
SYSTEMS = ("yupan", "yupan_rocksdb", "plain", "plain_coalesced", "faust")


class Program(Part):
    """The process; for `with`. It dies with its parent."""

    name = "program"

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job._replace(directory=str(self.directory))

    def command(self) -> list[str]:
        return [sys.executable, "-m", "benchmarks.reference.program", json.dumps(self._job)]

    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(ROOT)}

    def ready(self) -> bool:
        return True  # what it does is seen at the broker


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
    else:
        from benchmarks.reference import stock_faust

        stock_faust.run(job)


if __name__ == "__main__":
    run(Job(*json.loads(sys.argv[1])))
