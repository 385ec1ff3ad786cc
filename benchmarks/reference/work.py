"""The reference work: its events, its decision, its answer. The same for every system.

A state event of one of 20,000 customers is decoded from Avro; the customer's record (how many events, the last
value) is updated; every tenth event, by its sequence, is told: `[sequence, count of the customer so far]`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from schemas.codec import Codec
from schemas.events.state import EVENT

CUSTOMERS = 20_000
EVENTS_AN_OUTPUT = 10
PARTITIONS = 12
COMMIT_MS = 50
SEED = 20_261_122
STARTED_AT = 1_795_320_000_000

encode = msgspec.msgpack.Encoder().encode
unpack = msgspec.msgpack.Decoder().decode


class Job(NamedTuple):
    """What a program is told: whom to be, where to read and write, on which core. `directory` is its own."""

    system: str
    bootstrap: str
    group: str
    source: str
    core: int
    directory: str

    @property
    def out(self) -> str:
        """The topic of outputs."""
        return f"{self.group}-out"

    @property
    def changelog(self) -> str:
        """The changelog of the state: Faust and Kafka Streams name that of a store `work` alike, Quix does not."""
        if self.system == "quix":
            return f"changelog__{self.group}--{self.source}--default"
        return f"{self.group}-work-changelog"


class Answer(NamedTuple):
    """What must come out."""

    counts: dict[str, int]
    """Events by customer."""
    outputs: dict[int, int]
    """By sequence: the customer's count at that event."""


def decoder() -> Any:
    """The function from the framed bytes of a state event to its record."""
    return Codec(EVENT).decode


def decide(before: dict[str, Any] | None, record: dict[str, Any]) -> tuple[dict[str, Any], bytes | None]:
    """The customer's new record, and the output, if any."""
    count = 1 if before is None else before["n"] + 1
    sequence = record["sequence"]
    output = encode([sequence, count]) if sequence % EVENTS_AN_OUTPUT == 0 else None
    return {"n": count, "value": record["value"]}, output


def customers(events: int) -> Iterator[tuple[int, str]]:
    """Sequence (from 1) and customer of each event; all customers are equally likely."""
    chosen = random.Random(SEED)
    for sequence in range(1, events + 1):
        yield sequence, f"86138{chosen.randrange(CUSTOMERS):08d}"


def answer(events: int) -> Answer:
    """The right answer to so many events."""
    found = Answer({}, {})
    for sequence, customer in customers(events):
        count = found.counts[customer] = found.counts.get(customer, 0) + 1
        if sequence % EVENTS_AN_OUTPUT == 0:
            found.outputs[sequence] = count
    return found


def records(events: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and framed values of the events."""
    codec = Codec(EVENT)
    for sequence, customer in customers(events):
        yield customer.encode(), codec.encode(event(customer, sequence))


def event(msisdn: str, sequence: int) -> dict[str, Any]:
    """The record of a state event."""
    return {
        "msisdn": msisdn,
        "system": "ocs",
        "attribute": "balance",
        "value": sequence / 100,
        "previous": None,
        "transaction": None,
        "sequence": sequence,
        "region": "nanchang",
        "reason": None,
        "details": {},
        "occurred_at": STARTED_AT + sequence,
    }
