"""What came out: whether it is right, and how fast it came. Measured at the broker, so alike for all systems."""

from __future__ import annotations

import json
from typing import NamedTuple

from benchmarks.common.rates import FROM, TO
from benchmarks.reference.broker import read
from benchmarks.reference.work import EVENTS_AN_OUTPUT, Answer, Job, unpack


class WrongResultError(Exception):
    """A system lost or doubled something: its speed is worth nothing."""


class Rate(NamedTuple):
    """How fast a system was."""

    events_per_s: float
    seconds: float
    """How long the steady state was."""


def judge(job: Job, answer: Answer) -> Rate:
    """Compare outputs and state with the answer, and tell the rate. Raises `WrongResultError`."""
    appended = _outputs(job, answer)
    _state(job, answer)
    appended.sort()
    first, last = int(len(appended) * FROM), int(len(appended) * TO) - 1
    seconds = max((appended[last] - appended[first]) / 1000, 0.001)
    return Rate((last - first) * EVENTS_AN_OUTPUT / seconds, seconds)


def _outputs(job: Job, answer: Answer) -> list[int]:
    """Check the outputs; return their broker times, ms."""
    appended: list[int] = []
    found: dict[int, int] = {}
    for message in read(job.bootstrap, job.out):
        sequence, count = unpack(message.value())
        found[sequence] = count
        appended.append(message.timestamp()[1])
    lost = len(answer.outputs.keys() - found.keys())
    wrong = sum(answer.outputs.get(sequence) != count for sequence, count in found.items())
    doubled = len(appended) - len(found)
    if lost or wrong or doubled:
        raise WrongResultError(f"{job.group}: of {len(answer.outputs)} outputs {lost=} {doubled=} {wrong=}")
    return appended


def _state(job: Job, answer: Answer) -> None:
    """Check what a restart would restore: the last record of each customer in the changelog."""
    found: dict[bytes, bytes] = {}
    for message in read(job.bootstrap, job.changelog):
        if not message.key().startswith(b"\0"):
            found[message.key()] = message.value()
    parse = json.loads if job.system in ("faust", "quix") else unpack
    counts = {_customer(key): parse(value)["n"] for key, value in found.items()}
    if counts != answer.counts:
        wrong = sum(counts.get(customer) != count for customer, count in answer.counts.items())
        raise WrongResultError(f"{job.group}: the state of {wrong} of {len(answer.counts)} customers is wrong")


def _customer(key: bytes) -> str:
    """Our keys are `KIND/CUSTOMER`, Faust's are JSON, Quix's `CUSTOMER|"NAME"`, all others' are the customer."""
    return key.decode().partition("|")[0].strip('"').rpartition("/")[2]
