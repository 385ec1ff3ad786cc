"""The slice's events and their known answer: the night's export and the day of a province, as the simulator tells them.

Which event comes how often is counted by number and month, as an operator knows it (`MIX`): states are the bulk.
Usage records, of which there are more than of all else, are only checked by this release; they are left out, since
they would flatter the figure. So are the accounts of the export, which no check of ours compares.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from schemas.codec import codecs
from schemas.events.call import CallKeys
from schemas.events.state import SNAPSHOT
from sinks.producer import EventProducer
from streams.simulate import calls, care, changes, contacts, openings
from streams.simulate.day import Day
from streams.simulate.stage import CALL, STATE, Happening
from streams.simulate.traffic import Mix, Traffic

SEED = 20_261_122
CUSTOMERS = 20_000
DRIFT = 0.05
"""The share of changes of status that the network does not follow; of these, half are repaired too late."""

MIX: Mix = (
    (changes.charge, 2.0),  # the monthly fee, and something else
    (changes.recharge, 1.0),
    (changes.status, 0.3),  # stopped for want of money, and back again after a payment
    (changes.subscription, 0.3),
    (changes.network_type, 0.03),
    (changes.password, 0.02),
    (openings.opening, 0.03),
    (calls.call, 0.3),  # seven or eight phases each, and the seat's
    (contacts.self_service, 0.8),
    (contacts.chat, 0.3),
    (contacts.order, 0.05),
    (contacts.post, 0.05),
    (contacts.complaint, 0.02),
    (care.task, 0.05),
    (care.ticket, 0.01),
)
"""How often a number's month holds each story."""
EVE: Mix = tuple((story, weight) for story, weight in MIX if story is not openings.opening)
"""The day before. Both days know the same numbers; what one opened, the other would open again."""
STATES: Mix = MIX[:6]
"""Only what is audited."""


@dataclass
class Answer:
    """What must come out of the events written so far."""

    events: Counter[str] = field(default_factory=Counter)
    """By topic."""
    anomalies: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By MSISDN and status."""
    pops: int = 0
    customers: set[str] = field(default_factory=set)
    """Those of the export."""

    def changes(self, status: str) -> int:
        """How many anomalies come to `status`."""
        return sum(count for (_, found), count in self.anomalies.items() if found == status)


def traffic(start: int, seconds: float, events: int, mix: Mix = MIX, customers: int = CUSTOMERS) -> Traffic:
    """About so many events from `start` (ms) on, the night's export of all customers included. Shaped by no hour."""
    exported = customers * 3.2
    rate = max(events - exported, 1) / seconds
    return Traffic(
        seed=SEED,
        start=start,
        rate=rate,
        customers=customers,
        drift=DRIFT,
        seconds=seconds,
        day=_Level(start, "Asia/Shanghai"),
        mix=mix,
    )


class _Level(Day):
    """A day whose hours are all alike."""

    def busyness(self, at: int) -> float:
        return 1.0


def write(bootstrap: str, told: Traffic, answer: Answer) -> None:
    """Publish all of it, as producers do, and add to `answer` what must come of it."""
    fill(EventProducer(bootstrap, codecs()), told, answer)


def fill(producer: EventProducer, told: Traffic, answer: Answer) -> None:
    """See `write`. An export says that all is well with everybody: it ends what was open before."""
    keys, exported = CallKeys(), answer.customers
    for event in told:
        if _flatters(event):
            continue
        key = keys.of(event.record) if event.topic == CALL else None
        producer.publish(event.topic, event.record, event_id=event.id, source=event.source, key=key)
        answer.events[event.topic] += 1
        answer.pops += _pops(event)
        if event.topic == STATE and event.record["reason"] == SNAPSHOT:
            exported.add(event.record["msisdn"])
    producer.flush()
    for (msisdn, status), count in list(answer.anomalies.items()):
        if status == "OPEN" and msisdn in exported:
            answer.anomalies[msisdn, "RESOLVED"] = count
    for drift in told.injected:
        answer.anomalies[drift.msisdn, "OPEN"] += 1
        if drift.repaired_at is not None:
            answer.anomalies[drift.msisdn, "RESOLVED"] += 1


def _flatters(event: Happening) -> bool:
    """Whether it is an account of the export."""
    told = event.record
    return event.topic == STATE and told["attribute"] == "account" and told["reason"] == SNAPSHOT


def _pops(event: Happening) -> bool:
    """A pop comes when a seat is first offered the call, and when the call is handed on to another."""
    return event.topic == CALL and event.record["phase"] in ("OFFERED", "TRANSFERRED")
