"""A worker that comes back after an outage opens nothing that the unread events settle (contracts, the clock).

CATCH_UP_EVENTS=1000000 makes it as large as the issue asks; the figure is printed.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator

from sinks.groups import Groups
from sinks.producer import EventProducer
from tests.e2e.kit import CODECS, Live, now_ms, wait_for

EVENTS = int(os.environ.get("CATCH_UP_EVENTS", "60000"))
CUSTOMERS = max(EVENTS // 50, 1)
TWO_HOURS = 2 * 3_600_000
WITHIN = 2_000
"""The deadline of the check in the stack of these tests."""
STATE = "yupan.state.v1"
PAIRS = (("active", "active"), ("suspended", "barred"), ("half_suspended", "barred_outgoing"))


def pairs_in_time(seed: int, start: int) -> Iterator[tuple[int, str, str, str]]:
    """(occurred_at, msisdn, system, value): CRM changes, the HLR follows within the deadline; in order of time."""
    chance = random.Random(seed)
    step = TWO_HOURS / (EVENTS / 2)
    waiting: list[tuple[int, str, str, str]] = []
    for number in range(EVENTS // 2):
        at = start + round(number * step)
        crm, hlr = PAIRS[(number // CUSTOMERS) % len(PAIRS)]
        msisdn = f"86137{number % CUSTOMERS:08d}"
        waiting.append((at + chance.randrange(WITHIN + 1), msisdn, "hlr", hlr))
        yield at, msisdn, "crm", crm
        waiting.sort()
        while waiting and waiting[0][0] <= at:
            yield waiting.pop(0)
    yield from waiting


def test_a_backlog_in_which_all_agrees_in_time_opens_nothing(stack: Live) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    worker = stack.worker("decide")
    worker.stop()
    before = stack.mark("yupan.anomaly.v1")
    producer = EventProducer(stack.settings.kafka, CODECS)
    for at, msisdn, system, value in pairs_in_time(seed, now_ms() - TWO_HOURS - WITHIN):
        record = CODECS[STATE].event.from_json(
            {"msisdn": msisdn, "system": system, "attribute": "status", "value": value, "occurred_at": at}
        )
        producer.publish(STATE, record)
    written = producer.flush()
    worker.launch()
    began, events = caught_up(stack, written)
    print(f"caught up {events} events in {began:.1f} s: {events / began:,.0f} events/s")
    time.sleep(WITHIN / 1000 + 2)  # what was armed at the very end may fire only now
    assert stack.read("yupan.anomaly.v1", before) == []
    assert stack.metric("decide", "yupan_events_total", topic=STATE) >= EVENTS


def caught_up(stack: Live, written: dict[tuple[str, int], int]) -> tuple[float, int]:
    """Seconds from the first commit to the last, and the events between."""
    groups = Groups(stack.settings.kafka)

    def left() -> int:
        committed = groups.committed("yupan-decide")
        return sum(max(0, end - committed.get(place, 0)) for place, end in written.items())

    all_ = left()
    wait_for(lambda: left() < all_, 90, 0.02, "the first commit")
    began, first = time.monotonic(), left()
    wait_for(lambda: left() == 0, 600, 0.05, "catching up")
    return max(time.monotonic() - began, 1e-9), first
