from __future__ import annotations

from collections import Counter, defaultdict
from itertools import islice, pairwise

import pytest

from schemas.catalogue import EVENTS
from streams.simulate.day import Day, busyness
from streams.simulate.stage import DEADLINES
from tests.simulate.worlds import DEADLINE, START, flat_day, states, traffic


def test_the_same_seed_and_start_give_the_same_events() -> None:
    assert list(traffic()) == list(traffic())


def test_another_seed_gives_other_people_and_another_start_other_ids() -> None:
    mine, other = list(traffic(seconds=10)), list(traffic(seconds=10, seed=8))
    numbers = {e.record["msisdn"] for e in mine if e.record.get("msisdn")}
    assert not numbers & {e.record.get("msisdn") for e in other}
    later = list(traffic(seconds=10, start=START + 60_000))
    assert numbers & {e.record.get("msisdn") for e in later}
    assert not {e.id for e in mine} & {e.id for e in later}


def test_who_is_known_does_not_move_in_again() -> None:
    first = list(traffic(seconds=60))
    again = list(traffic(seconds=60, start=START + 60_000, known=True))
    assert not [e for e in again if e.topic == "yupan.list.v1" or e.record.get("reason") == "snapshot"]
    told = {e.record["msisdn"] for e in first + again if e.topic == "yupan.customer.v1"}
    assert {e.record["msisdn"] for e in again if e.topic == "yupan.call.v1" and e.record["msisdn"]} <= told
    assert [e for e in again if e.topic == "yupan.seat.v1"]


def test_every_record_is_one_of_its_event_type_and_a_message_to_its_customer() -> None:
    events = list(traffic(seconds=120))
    for event in events:
        kind = EVENTS[event.topic]
        assert kind.from_json(event.record) == event.record
        assert event.record["occurred_at"] == event.occurred_at
        assert START <= event.occurred_at < START + 120_000
    assert len({(e.source, e.id) for e in events}) == len(events)
    assert all(a.occurred_at <= b.occurred_at for a, b in pairwise(events))


def test_all_of_a_province_happens() -> None:
    events = list(traffic(seconds=300))
    assert {e.topic for e in events} >= {
        f"yupan.{name}.v1"
        for name in ("state", "usage", "call", "contact", "retention-task", "list", "seat", "ticket", "customer")
    }
    contacts = [e.record for e in events if e.topic == "yupan.contact.v1"]
    assert {c["channel"] for c in contacts} >= {"WECHAT", "QQ", "WEIBO", "WEB", "APP", "MALL", "HOTLINE", "SMS"}
    assert {c["kind"] for c in contacts} >= {"MESSAGE", "ORDER", "ORDER_PROGRESS", "COMPLAINT", "SELF_SERVICE"}
    lists = [e.record for e in events if e.topic == "yupan.list.v1"]
    assert {(entry["list"], entry["action"]) for entry in lists} == {
        ("mid_high", "REPLACED"),
        ("campus", "REPLACED"),
        ("mid_high", "ADD"),
        ("campus", "ADD"),
        ("rural", "ADD"),
    }
    assert all(entry["name"] and entry["station"] for entry in lists if entry["list"] == "rural")
    facts = [e.record["facts"] for e in events if e.topic == "yupan.customer.v1"]
    assert any(f.get("q4_arpu", 0) >= 360 for f in facts)
    assert any(f.get("opened_at", 0) > START for f in facts), "numbers are opened while it runs"


def test_sequences_of_a_source_rise_also_over_runs() -> None:
    first, second = states(list(traffic(seconds=10))), states(list(traffic(seconds=10, start=START + 10_000)))
    for source in ("crm", "hlr", "ocs"):
        numbers = [e.record["sequence"] for e in first + second if e.source == source]
        assert len(numbers) > 10
        assert all(a < b for a, b in pairwise(numbers))


@pytest.mark.parametrize(("rate", "seconds"), [(20, 600), (200, 120)])
def test_the_rate_is_what_was_asked_for(rate: int, seconds: int) -> None:
    events = list(traffic(rate=rate, seconds=seconds + 30, customers=100, day=flat_day(), drift=0.05, haste=20))
    after_the_prologue = sum(e.occurred_at >= START + 30_000 for e in events)
    assert after_the_prologue / seconds == pytest.approx(rate, rel=0.15)


def test_a_day_is_quiet_at_night_and_busy_in_the_morning() -> None:
    day = Day(START, "Asia/Shanghai", speed_up=24)
    assert day.hour(START) == 12
    assert day.hour(START + 3_600_000) == 12
    assert sum(busyness(hour / 10) for hour in range(240)) / 240 == pytest.approx(1)
    events = islice(traffic(rate=20, seconds=3600, customers=50, haste=20, day=day), 500_000)
    calls = Counter(
        int(day.hour(e.occurred_at))
        for e in events
        if e.topic == "yupan.call.v1" and e.record["phase"] == "IVR_ENTERED"
    )
    assert calls[10] > 8 * calls[3] > 0
    assert calls[12] < calls[10]


def test_the_phases_of_a_call_are_in_order_and_seats_take_one_call_at_a_time() -> None:
    calls = defaultdict(list)
    for event in traffic(seconds=200):
        if event.topic == "yupan.call.v1":
            calls[event.record["call_id"]].append(event.record)
    finished = [phases for phases in calls.values() if phases[-1]["phase"] in ("ENDED", "ABANDONED")]
    assert len(finished) > 100
    for phases in finished:
        names = [p["phase"] for p in phases]
        assert names[:4] == ["IVR_ENTERED", "NEED_CHOSEN", "IVR_LEFT", "QUEUED"]
        assert names[4:] == ["ABANDONED"] or (names[4:6] == ["OFFERED", "ANSWERED"] and names[-1] == "ENDED")
        assert len({p["msisdn"] for p in phases}) == 1
    busy = sorted(
        (p["occurred_at"], p["occurred_at"] + p["talk_ms"], p["seat"], phases[4]["occurred_at"])
        for phases in finished
        for p in phases[-1:]
        if p["talk_ms"] and p["seat"] == phases[4]["seat"]
    )
    by_seat = defaultdict(list)
    for ended, _, seat, offered in busy:
        by_seat[seat].append((offered, ended))
    assert any(len(times) > 1 for times in by_seat.values())
    for times in by_seat.values():
        assert all(a[1] <= b[0] for a, b in pairwise(sorted(times)))


def test_what_was_on_its_way_when_it_was_stopped_is_settled() -> None:
    told = traffic(rate=300, drift=0.0)
    events = list(islice(told, 4000))
    now = events[-1].occurred_at
    rest = told.settle(now)
    assert rest, "at this rate something is always on its way"
    assert all(e.occurred_at <= now for e in rest)
    assert late(states(events + rest), now) == []


PAIRS = {
    ("crm", "status"): ("activation", (("hlr", "status"),)),
    ("crm", "network_type"): ("sacp-signing", (("sacp", "network_type"), ("hlr", "network_type"))),
}
MATCHES = {("crm", "charge"): ("charging", "charge"), ("order", "payment"): ("charging.recharge", "credit")} | {
    ("crm", "gift"): ("gift", "gift")
}


def late(events: list, end: float) -> list[str]:
    """The counterparts that did not come within half of their deadline, or not before `end`."""
    found = []
    for index, event in enumerate(events):
        name = (event.record["system"], event.record["attribute"])
        if event.record["reason"] == "snapshot":
            continue
        wanted = [(s, a, None) for s, a in PAIRS.get(name, ("", ()))[1]]
        check = PAIRS.get(name, ("",))[0]
        if name in MATCHES:
            check, attribute = MATCHES[name]
            wanted = [("ocs", attribute, event.record["transaction"])]
        if name[0] == "crm" and name[1].startswith("subscription."):
            check, wanted = "subscription", [("vas", name[1], None)]
        within = (DEADLINES | {"activation": DEADLINE}).get(check, 0) / 2
        for system, attribute, transaction in wanted:
            followers = (
                e.occurred_at - event.occurred_at
                for e in events[index:]
                if (e.record["msisdn"], e.record["system"], e.record["attribute"])
                == (event.record["msisdn"], system, attribute)
                and transaction in (None, e.record["transaction"])
            )
            if next(followers, within + 1) > within:
                found.append(event.id)
    return found


def test_without_drift_every_counterpart_is_in_time() -> None:
    events = states(list(traffic(drift=0.0)))
    assert len(events) > 1000
    assert late(events, START + 60_000) == []


def test_with_drift_exactly_the_injected_have_no_counterpart() -> None:
    told = traffic(seconds=90)
    events = states(list(told))
    assert len(told.injected) > 10
    assert sorted(late(events, told.end)) == sorted(drift.trigger for drift in told.injected)
