"""The call report against a reference in plain Python: random calls, repeated and out of order."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction

import pytest

from schemas.errors import UsageError
from sinks.history import HistoryWriter
from sinks.reports import GROUPS, report_calls
from tests.sinks.conftest import Event

T = int(datetime(2010, 7, 31, 12, tzinfo=UTC).timestamp() * 1000)
HOUR = 3_600_000
SHANGHAI = "Asia/Shanghai"


def call(dice, number):
    """A call as facts about it, and the events that tell them."""
    served = dice.random() < 0.7
    made = {
        "call_id": f"call-{number}",
        "start": T + dice.randrange(10 * 24 * HOUR),
        "priority": dice.choice([0, 1, 2, None]),
        "brand": dice.choice(["gotone", "easyown", None]),
        "segment": dice.choice(["NEW", "CAMPUS", None]),
        "outcome": dice.choice(["ANSWERED", "ABANDONED", "PHANTOM", None]),
        "staff": f"s{dice.randrange(9)}" if served else None,
        "wait": dice.choice([None, 0, dice.randrange(1, 600) * 1000, dice.randrange(600_000)]),
        "talk": dice.choice([None, dice.randrange(900) * 1000]),
        "times": {},
    }
    at = made["start"]
    names = ["IVR_ENTERED", *(["QUEUED"] if dice.random() < 0.7 else []), "OFFERED"]
    for name in [*names, *(["ANSWERED", "ENDED"] if served else ["ABANDONED"])]:
        made["times"][name] = at
        at += dice.randrange(200_000)
    return made


def events_of(dice, made):
    key = "8613800138000" if dice.random() < 0.5 else made["call_id"]
    last = list(made["times"])[-1]
    for name, at in made["times"].items():
        record = {
            "call_id": made["call_id"],
            "msisdn": None,
            "phase": name,
            "occurred_at": at,
            "priority": made["priority"],
        }
        if name == "IVR_ENTERED":
            record["brand"] = made["brand"]
        if name == "OFFERED":
            record["staff"] = "only-offered"
        if name in ("ANSWERED", "ENDED"):
            record["staff"] = made["staff"]
        if name == last:
            record |= {"wait_ms": made["wait"], "talk_ms": made["talk"], "outcome": made["outcome"]}
        yield Event("yupan.call.v1", record, id=f"{made['call_id']}-{name}", key=key)
        tag = record | {"segment": made["segment"], "receipt": {"winner": made["segment"]}}
        yield Event("yupan.tagged-call.v1", tag, id=f"{made['call_id']}-{name}", source="yupan", key=key)


def group_of(made, by):
    if by == "hour":
        local = datetime.fromtimestamp(made["start"] / 1000, timezone(timedelta(hours=8)))
        return f"{local.hour:02}"
    return "none" if made[by] is None else str(made[by])


def seconds(milliseconds, count=1):
    return round(float(Fraction(milliseconds, 1000 * count)), 3)


def wait_of(made):
    if made["wait"] is not None:
        return made["wait"]
    times = made["times"]
    return times["ANSWERED"] - times["QUEUED"] if "QUEUED" in times else 0


def talk_of(made):
    return made["talk"] if made["talk"] is not None else made["times"]["ENDED"] - made["times"]["ANSWERED"]


def reference(calls, by):
    groups = {}
    for made in calls:
        if made["outcome"] != "PHANTOM":
            groups.setdefault(group_of(made, by), []).append(made)
    rows = []
    for group, members in sorted(groups.items()):
        answered = [made for made in members if made["staff"]]
        waits = sorted(wait_of(made) for made in answered)
        count = len(answered)
        rows.append(
            {
                "group": group,
                "calls": len(members),
                "answered": count,
                "connect_rate": round(count / len(members), 3),
                "abandoned": len(members) - count,
                "wait_mean_s": seconds(sum(waits), count) if count else 0.0,
                "wait_p90_s": seconds(waits[math.ceil(Fraction(9 * count, 10)) - 1]) if count else 0.0,
                "handling_mean_s": seconds(sum(map(talk_of, answered)), count) if count else 0.0,
            }
        )
    return rows


@pytest.fixture
def made(db):
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    dice = random.Random(seed)
    calls = [call(dice, number) for number in range(300)]
    events = [event for each in calls for event in events_of(dice, each)]
    events += dice.choices(events, k=len(events) // 3)
    dice.shuffle(events)
    writer = HistoryWriter(db, largest=500)
    for event in events:
        writer.add(event)
    assert writer.flush() == []
    return calls


def test_equals_the_reference(db, made):
    for by in GROUPS:
        assert report_calls(db, by, SHANGHAI) == reference(made, by)


def test_from_and_to_judge_by_the_start_of_a_call(db, made):
    since, until = T + 30 * HOUR, T + 100 * HOUR
    inside = [each for each in made if since <= each["start"] < until]
    assert report_calls(db, "priority", SHANGHAI, since, until) == reference(inside, "priority")
    late = [each for each in made if each["start"] >= since]
    assert report_calls(db, "brand", SHANGHAI, since) == reference(late, "brand")
    early = [each for each in made if each["start"] < until]
    assert report_calls(db, "hour", SHANGHAI, until=until) == reference(early, "hour")


def test_the_bounds_are_the_first_millisecond_in_and_the_last_out(db):
    store = HistoryWriter(db)
    record = {"call_id": "k", "phase": "IVR_ENTERED", "occurred_at": T}
    store.add(Event("yupan.call.v1", record, id="1", key="k"))
    store.flush()
    assert len(report_calls(db, "priority", SHANGHAI, T, T + 1)) == 1
    assert report_calls(db, "priority", SHANGHAI, T - 1, T) == []
    assert report_calls(db, "priority", SHANGHAI, T + 1, T + 2) == []


def test_p90_is_the_smallest_that_nine_tenths_do_not_exceed(db):
    writer = HistoryWriter(db)
    for answered in (1, 2, 9, 10, 11, 20, 100):
        for number in range(1, answered + 1):
            call_id = f"{answered}-{number}"
            record = {"call_id": call_id, "phase": "ENDED", "brand": f"{answered}", "staff": "s",
                      "wait_ms": number * 1000, "occurred_at": T}  # fmt: skip
            writer.add(Event("yupan.call.v1", record, id=call_id, key=call_id))
    writer.flush()
    for row in report_calls(db, "brand", SHANGHAI):
        assert row["wait_p90_s"] == math.ceil(Fraction(9 * row["answered"], 10))
    assert [row["group"] for row in report_calls(db, "segment", SHANGHAI)] == ["none"]


def test_no_calls_are_an_empty_report(db):
    assert report_calls(db, "hour", SHANGHAI) == []


def test_an_unknown_grouping_is_wrong_use(db):
    with pytest.raises(UsageError, match="priority, segment, brand, hour"):
        report_calls(db, "weather", SHANGHAI)
