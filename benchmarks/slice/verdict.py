"""Whether what came out is the known answer: each anomaly, reminder, tagged phase and pop, once."""

from __future__ import annotations

from collections import Counter
from typing import Any

from benchmarks.reference.broker import read
from benchmarks.reference.verdict import WrongResultError
from benchmarks.slice.day import Answer
from benchmarks.slice.site import wait_for
from schemas.codec import codecs
from schemas.dead_letter import DEAD_LETTER
from schemas.headers import read as by_name
from streams.simulate.stage import CALL

ANOMALY = "yupan.anomaly.v1"
REMINDER = "yupan.reminder.v1"
TAGGED = "yupan.tagged-call.v1"
POP = "yupan.screen-pop.v1"
_codecs = codecs()
Ids = list[str]


def judge(bootstrap: str, answer: Answer) -> None:
    """Wait for the last deadlines to fire, then compare. Raises `WrongResultError`."""
    settle(bootstrap, answer)
    anomalies = Counter((record["msisdn"], record["status"]) for record in _records(bootstrap, ANOMALY))
    reminders = [message.value() is None for message in read(bootstrap, REMINDER) if b"|anomaly-" in message.key()]
    pops = [(record["call_id"], record["seat"]) for record in _records(bootstrap, POP)]
    tagged = [by_name(message.headers())["ce_id"] for message in read(bootstrap, TAGGED)]
    _must("anomalies", anomalies, answer.anomalies)
    _must("reminders", reminders.count(False), answer.changes("OPEN"))
    _must("withdrawn reminders", reminders.count(True), answer.changes("RESOLVED"))
    _must("tagged phases", len(tagged), answer.events[CALL])
    _must("different tagged phases", len(set(tagged)), answer.events[CALL])
    _must("pops", len(pops), answer.pops)
    _must("different pops", len(set(pops)), answer.pops)
    _must("dead letters", len(list(read(bootstrap, DEAD_LETTER))), 0)


def settle(bootstrap: str, answer: Answer) -> None:
    """Wait until as many anomalies were told as there must be: the last open when nothing more comes."""
    wanted = answer.changes("OPEN") + answer.changes("RESOLVED")
    wait_for(lambda: len(list(read(bootstrap, ANOMALY))) >= wanted, f"{wanted} changes of anomalies", 30.0, 0.3)


def _records(bootstrap: str, topic: str) -> list[dict[str, Any]]:
    return [_codecs[topic].decode(message.value()) for message in read(bootstrap, topic)]


def _must(what: str, found: Any, wanted: Any) -> None:
    if found == wanted:
        return
    if isinstance(wanted, Counter):
        wrong = (found - wanted) + (wanted - found)
        raise WrongResultError(f"{what}: {wrong.total()} of {wanted.total()} are missing or too many")
    raise WrongResultError(f"{what}: {found:,} instead of {wanted:,}")
