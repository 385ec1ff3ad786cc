"""What the probes send: calls that are offered to a seat, and network states that settle an anomaly."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping
from typing import Any

from confluent_kafka import Message

from benchmarks.latency.probe import Sent
from benchmarks.slice.verdict import ANOMALY, POP, REMINDER
from schemas.codec import codecs
from schemas.headers import cloud_event, read
from streams.simulate.stage import CALL, STATE

_codecs = codecs()
_ids = itertools.count()
HOP = "benchmark-hop"
LATE_MS = 11 * 60_000
"""Longer ago than the deadline of the check `activation`."""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def calls(numbers: list[str]) -> Iterator[Sent]:
    """Calls of these customers in turn, each offered to a seat just now; the id is the pop's."""
    for msisdn in itertools.cycle(numbers):
        name = f"probe-{next(_ids)}"
        record = {"call_id": name, "msisdn": msisdn, "phase": "OFFERED", "hotline": "10010", "need": "fault"}
        record |= {"pool": "expert", "seat": "A-17", "staff": "1001"}
        yield _sent(CALL, (POP,), {**record, "wait_ms": 4_200, "occurred_at": now_ms()}, f"{name}|A-17", "cti")


def hops(offered: Iterator[Sent]) -> Iterator[Sent]:
    """The same events, through a topic that nobody works on."""
    return (event._replace(topic=HOP, outputs=(HOP,)) for event in offered)


def in_turn(*streams: Iterator[Sent]) -> Iterator[Sent]:
    """One event of each after the other."""
    return itertools.chain.from_iterable(zip(*streams, strict=True))


def stopped(numbers: list[str]) -> Iterator[Sent]:
    """The CRM stopped these numbers, and the network should have followed by now."""
    for msisdn in numbers:
        yield _state(msisdn, "crm", "suspended", now_ms() - LATE_MS)


def barred(numbers: list[str]) -> Iterator[Sent]:
    """At last, the network follows: what was open is resolved."""
    for msisdn in numbers:
        yield _state(msisdn, "hlr", "barred", now_ms())


def by_id(message: Message) -> str:
    """The CloudEvents id."""
    return read(message.headers())["ce_id"]


def by_customer(message: Message) -> str:
    """The MSISDN that the key begins with."""
    return (message.key() or b"").decode().partition("|")[0]


def _state(msisdn: str, system: str, value: str, at: int) -> Sent:
    record = {"msisdn": msisdn, "system": system, "attribute": "status", "value": value, "occurred_at": at}
    return _sent(STATE, (ANOMALY, REMINDER), record, msisdn, system)


def _sent(topic: str, outputs: tuple[str, ...], data: Mapping[str, Any], name: str, source: str) -> Sent:
    codec = _codecs[topic]
    record = codec.event.from_json(data)
    key = (codec.event.key(record) or "").encode()
    return Sent(
        topic, outputs, name, key, codec.encode(record), cloud_event(topic, name, source, record["occurred_at"])
    )
