"""What figures were measured on: the code, the machine, the versions. Nothing that tells whose machine it is."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import confluent_kafka

from streams.parts.jars import java, kafka_version

ROOT = Path(__file__).resolve().parents[1]


def surroundings() -> dict[str, Any]:
    """Date, commit, machine and versions, as data."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _output("git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12").strip(),
        "machine": {
            "cores": os.cpu_count(),
            "cpu": _found(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text()),
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
            "kernel": platform.release().partition("-")[0],
        },
        "versions": {
            "Apache Kafka": kafka_version(),
            "Java": _found(r'version "(.+?)"', _output(java(), "-version")),
            "Python": platform.python_version(),
            "librdkafka": confluent_kafka.libversion()[0],
        },
    }


def _output(*command: str) -> str:
    """What a program says, nothing when it is not there: a figure without its commit is still a figure."""
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=20)
    except OSError:
        return ""
    return done.stdout + done.stderr if done.returncode == 0 else ""


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    return found[1].strip() if found else "unknown"
