"""What parts need from Maven Central: fetched once, kept in the user's cache."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from schemas.errors import PartError
from streams.parts.part import find_program, say

POM = Path(__file__).with_name("kafka.pom.xml")
_FETCH_S = 900
_INSTALL = "install Java 17 or newer and Maven (Debian: openjdk-17-jre-headless maven)"


def kafka_version() -> str:
    """Return the version of Apache Kafka that the pom names."""
    found = re.search(r"<kafka\.version>(.+?)</kafka\.version>", POM.read_text())
    if found is None:
        raise PartError(f"{POM.name} names no kafka.version")
    return found[1]


def cache_directory() -> Path:
    """Return where fetched parts are kept: $YUPAN_CACHE, else the user's cache directory."""
    if chosen := os.environ.get("YUPAN_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "yupan"


def kafka_jars() -> Path:
    """Return the directory with the jars, fetching them first where needed.

    Raises PartError when Maven is missing, the fetch fails, or the cache cannot be written.
    """
    what = f"Apache Kafka {kafka_version()}"
    return kept(f"kafka-{kafka_version()}", what, lambda folder: _fetch_kafka(what, folder))


def kept(name: str, what: str, fill: Callable[[Path], None]) -> Path:
    """Return the directory `name` of the cache; `fill` makes it at first use. Two processes may ask at once."""
    target = cache_directory() / name
    if target.is_dir():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with (target.parent / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not target.is_dir():  # the process that held the lock may have fetched it
                unfinished = target.with_name(f"{name}.unfinished")
                shutil.rmtree(unfinished, ignore_errors=True)
                fill(unfinished)
                unfinished.rename(target)
    except OSError as error:
        raise PartError(f"cannot keep {what} in {target.parent}: {error}; set YUPAN_CACHE") from error
    return target


def java() -> str:
    """Return the path of Java. Raises PartError that says what to install."""
    return find_program("java", _INSTALL)


def maven(what: str, size: str, *goal: str) -> None:
    """Fetch `what` from Maven Central by a goal of Maven. Raises PartError with the end of what Maven says."""
    program = find_program("mvn", _INSTALL)
    say(f"fetching {what} from Maven Central ({size}, once)")
    try:
        done = subprocess.run(
            [program, "-q", "-B", *goal],
            check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_FETCH_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise PartError(f"Maven did not fetch {what} in {_FETCH_S} s: is Maven Central reachable?") from error
    if done.returncode != 0:
        tail = "\n".join(f"  | {line}" for line in (done.stdout + done.stderr).splitlines()[-15:])
        raise PartError(f"Maven could not fetch {what}: is Maven Central reachable?\n{tail}")


def _fetch_kafka(what: str, folder: Path) -> None:
    goal = ("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}")
    maven(what, "45 MB", "-f", str(POM), *goal)
