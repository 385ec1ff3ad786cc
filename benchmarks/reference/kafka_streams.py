"""The reference work on Kafka Streams: Java, built by Maven at first use; at least once or exactly once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from benchmarks.reference.work import COMMIT_MS, Job
from schemas.codec import FOLDER
from schemas.events.state import EVENT
from streams.parts.jars import java, kafka_version, kept, maven
from streams.parts.part import find_program

PROJECT = Path(__file__).resolve().parents[1] / "kafka_streams"
_JDK = "Kafka Streams' program is compiled here: install a JDK, 17 or newer (Debian: openjdk-17-jdk-headless)"


def jars() -> Path:
    """The directory with the program and the jars that it needs. Raises `PartError`."""
    sources = sorted(path for path in PROJECT.rglob("*") if path.suffix in (".java", ".xml"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    what = f"Kafka Streams {kafka_version()}"
    return kept(f"kafka-streams-{kafka_version()}-{digest}", what, lambda folder: _build(what, folder))


def _build(what: str, folder: Path) -> None:
    find_program("javac", _JDK)
    maven(what, "95 MB", "-f", str(PROJECT), "package", f"-Dkafka.version={kafka_version()}", f"-Dto={folder}")


def run(job: Job) -> None:
    """Become the Java program, which runs until SIGTERM; it inherits this process's core."""
    [schema] = (FOLDER / EVENT.topic).glob("*.avsc")
    guarantee = "exactly_once_v2" if job.system == "kafka_streams_eos" else "at_least_once"
    options = ["-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{jars()}/*"]
    arguments = [job.bootstrap, job.group, job.source, job.out, str(schema), job.directory, guarantee, str(COMMIT_MS)]
    os.execv(java(), [java(), *options, "yupan.ReferenceWork", *arguments])
