"""The report on the audit against a slow reference in plain Python: random lives, repeated and shuffled."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction

import pytest

from agents.repair import ANSWERS
from schemas.errors import UsageError
from schemas.events.anomaly import DID_NOT_HELP
from schemas.fields import millis
from sinks.audits import DAY, GROUPS, report_audits
from sinks.history import HistoryWriter
from tests.agents.test_repairs import MIN, World
from tests.sinks.conftest import Event

T = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp() * 1000)
HOUR = 3_600_000
ARRIVED = 1_800_000_000_000
SHANGHAI = "Asia/Shanghai"
NUMBERS = [f"86138000{number:05}" for number in range(40)]


# --- a random history


class Arrivals:
    """Gives each event its place of arrival: often several in one millisecond."""

    def __init__(self, dice):
        self.dice = dice
        self.count = 0

    def event(self, topic, record, name, key=None):
        self.count += 1
        at = ARRIVED + self.count // 4
        return Event(topic, record, name, "yupan", key=key, offset=self.count, arrived_at=at)

    def repeated(self, event):
        self.count += 1
        again = (self.count, ARRIVED + self.count // 4)
        return Event(event.topic, event.record, event.id, event.source, 0, event.key, 0, *again)


def told_of(dice, opened):
    """The life of an anomaly: (status, reason, occurred_at, opened_at) of each of its rows, as decided."""
    rows, status, at, first = [], None, opened, opened
    for _step in range(dice.randrange(1, 14)):
        if status in (None, "RESOLVED", "WITHDRAWN"):
            if status is not None:
                if dice.random() < 0.6:
                    break
                at += dice.choice([0, dice.randrange(HOUR), dice.randrange(30 * HOUR)])
                first = dice.choice([first, at])
            status, reason = "OPEN", "deadline_passed"
        elif dice.random() < 0.25:
            reason = "partner_changed"  # the status stays
        elif status == "REPAIRING" and dice.random() < 0.5:
            status, reason = dice.choice(["OPEN", "ACKNOWLEDGED"]), dice.choice(DID_NOT_HELP)
        elif status != "REPAIRING" and dice.random() < 0.5:
            status, reason = "REPAIRING", dice.choice(["repair_sent", "repair ordered by 1001"])
        elif status == "OPEN" and dice.random() < 0.3:
            status, reason = "ACKNOWLEDGED", "acknowledged by 1001"
        else:
            status, reason = dice.choice(["RESOLVED", "RESOLVED", "WITHDRAWN"]), "agrees_again"
            if dice.random() < 0.1:
                at -= dice.randrange(2 * HOUR)  # what settles it came late
        rows.append((status, reason, at, first))
        at += dice.choice([0, dice.randrange(HOUR), dice.randrange(20 * HOUR)])
    return rows


def anomaly(dice, arrivals, number):
    """An anomaly of a customer or of a cell, and its events."""
    msisdn = dice.choice(NUMBERS[:30]) if dice.random() < 0.85 else None
    made = {
        "check": dice.choice(["activation", "charging", "subscription.network"]),
        "severity": dice.choice(["MINOR", "MAJOR"]),
        "cause": dice.choice(["hlr.status.missing", "hlr.status.differs"]),
        "region": dice.choice(["nanchang", "jiujiang", None]),
        "msisdn": msisdn,
        "rows": told_of(dice, T + dice.randrange(40 * DAY)),
    }
    events = []
    for n, (status, reason, at, opened) in enumerate(made["rows"]):
        record = {
            "anomaly_id": f"anomaly-{number}",
            "msisdn": msisdn,
            "cell": None if msisdn else "460-00-1-77",
            "region": made["region"] if n == 0 else "elsewhere",
            "check": made["check"],
            "status": status,
            "severity": made["severity"] if n == 0 else "CRITICAL",
            "cause_code": made["cause"] if n == 0 else "other",
            "reason": reason,
            "opened_at": opened,
            "occurred_at": at,
        }
        events.append(arrivals.event("yupan.anomaly.v1", record, f"anomaly-{number}|{n}", msisdn))
    return made, events


def call(dice, arrivals, number, msisdn, at):
    """A call whose first phases may name nobody; returns its events and whether it counts."""
    call_id, keyed = f"call-{number}", dice.random() < 0.5
    phases = ["IVR_ENTERED", "QUEUED", "ANSWERED", "ENDED"]
    phantom, events = dice.random() < 0.15, []
    for n, phase in enumerate(phases):
        record = {
            "call_id": call_id,
            "msisdn": msisdn if not keyed or n >= 2 else None,
            "phase": phase,
            "outcome": "PHANTOM" if phantom and phase == "ENDED" else None,
            "occurred_at": at + n * dice.randrange(300_000),
        }
        key = call_id if keyed else msisdn
        events.append(arrivals.event("yupan.call.v1", record, f"{call_id}-{phase}", key))
        tag = record | {"segment": None, "occurred_at": at - 5}
        events.append(arrivals.event("yupan.tagged-call.v1", tag, f"{call_id}-{phase}", key))
    return events, not phantom


def contact(dice, arrivals, number, msisdn, at):
    record = {
        "contact_id": f"c-{number}",
        "msisdn": msisdn,
        "channel": "WECHAT",
        "direction": dice.choice(["IN", "IN", "OUT"]),
        "kind": "MESSAGE",
        "occurred_at": at,
    }
    return [arrivals.event("yupan.contact.v1", record, f"c-{number}", msisdn)], record["direction"] == "IN"


def moments(dice, lives):
    """Customers and times at which they come to us: anywhere, and at the very bounds of what counts."""
    for _ in range(150):
        yield dice.choice(NUMBERS), T + dice.randrange(-2 * DAY, 45 * DAY)
    for life in dice.sample(lives, len(lives) // 2):
        opened = min(row[3] for row in life["rows"])
        at = dice.choice([opened - DAY, opened, life["rows"][-1][2] + DAY])
        yield life["msisdn"] or NUMBERS[0], at + dice.choice([-1, 0, 1])


@pytest.fixture
def made(db):
    """The lives of the anomalies that are stored, and (customer, time) of what counts as contact."""
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    dice = random.Random(seed)
    arrivals = Arrivals(dice)
    lives, events, met = [], [], []
    for number in range(200):
        life, some = anomaly(dice, arrivals, number)
        lives.append(life)
        events += some
    for number, (msisdn, at) in enumerate(moments(dice, lives)):
        some, counts = dice.choice([call, contact])(dice, arrivals, number, msisdn, at)
        events += some
        met += [(msisdn, at)] * counts
    events += [arrivals.repeated(event) for event in dice.sample(events, len(events) // 3)]
    dice.shuffle(events)
    writer = HistoryWriter(db, largest=700)
    for event in events:
        writer.add(event)
    assert writer.flush() == []
    return lives, met


# --- the reference


def lived(life, met):
    """What became of one anomaly, step by step."""
    opened, rows = min(row[3] for row in life["rows"]), life["rows"]
    last, ended_at = rows[-1][0], rows[-1][2]
    is_over, reopened, sent, helped, failed, is_repairing = False, False, 0, 0, 0, False
    for status, reason, _, _ in rows:
        reopened |= is_over and status not in ("RESOLVED", "WITHDRAWN")
        is_over = status in ("RESOLVED", "WITHDRAWN")
        if status == "REPAIRING" and reason != "partner_changed":
            sent, is_repairing = sent + 1, True
        elif reason in DID_NOT_HELP:
            failed, is_repairing = failed + 1, False
        elif is_over:
            helped += is_repairing and status == "RESOLVED"
            is_repairing = False
    counts = life["msisdn"] is not None and last != "WITHDRAWN"
    contacts = sorted(at for msisdn, at in met if msisdn == life["msisdn"] and counts)
    before = any(opened - DAY <= at < opened for at in contacts)
    after = [at - opened for at in contacts if at >= opened and (not is_over or at <= ended_at + DAY)]
    return {
        "resolved": last == "RESOLVED",
        "withdrawn": last == "WITHDRAWN",
        "reopened": reopened,
        "of_customers": counts,
        "contact_before": before,
        "lead": after[0] if after and not before else None,
        "resolve": max(0, ended_at - opened) if last == "RESOLVED" else None,
        "repairs_sent": sent,
        "repairs_helped": helped,
        "repairs_failed": failed,
    }


def times(name, values):
    ordered = sorted(value for value in values if value is not None)
    if not ordered:
        return {f"{name}_mean_s": None, f"{name}_p50_s": None, f"{name}_p90_s": None}

    def at_least(tenths):
        return next(v for v in ordered if 10 * sum(other <= v for other in ordered) >= tenths * len(ordered))

    return {
        f"{name}_mean_s": round(float(Fraction(sum(ordered), 1000 * len(ordered))), 3),
        f"{name}_p50_s": round(at_least(5) / 1000, 3),
        f"{name}_p90_s": round(at_least(9) / 1000, 3),
    }


def figures(group, lives, met):
    found = [lived(life, met) for life in lives]
    sums = {name: sum(each[name] for each in found) for name in found[0] if name not in ("lead", "resolve")}
    after = sum(each["lead"] is not None for each in found)
    customers, before = sums["of_customers"], sums["contact_before"]
    return {
        "group": group,
        "opened": len(lives),
        "resolved": sums["resolved"],
        "withdrawn": sums["withdrawn"],
        "open": sum(not each["resolved"] and not each["withdrawn"] for each in found),
        "reopened": sums["reopened"],
        "of_customers": customers,
        "contact_before": before,
        "contact_after": after,
        "contact_none": customers - before - after,
        "found_first_share": round(float(Fraction(customers - before, customers)), 3) if customers else None,
        **times("lead", [each["lead"] for each in found]),
        **times("resolve", [each["resolve"] for each in found]),
        "repairs_sent": sums["repairs_sent"],
        "repairs_helped": sums["repairs_helped"],
        "repairs_failed": sums["repairs_failed"],
    }


def group_of(life, by):
    if by in ("day", "month"):
        opened = datetime.fromtimestamp(min(row[3] for row in life["rows"]) / 1000, timezone(timedelta(hours=8)))
        return f"{opened:%Y-%m-%d}" if by == "day" else f"{opened:%Y-%m}"
    return life[by] or "none"


def reference(lives, met, by):
    groups = {}
    for life in lives:
        groups.setdefault(group_of(life, by), []).append(life)
    rows = [figures(group, some, met) for group, some in sorted(groups.items())]
    return [*rows, figures("all", lives, met)] if lives else []


# --- the tests


def test_equals_the_reference(db, made):
    for by in GROUPS:
        assert report_audits(db, by, SHANGHAI) == reference(*made, by)


def test_from_and_to_judge_by_the_first_opening(db, made):
    lives, met = made
    since, until = T + 9 * DAY + 5 * HOUR, T + 23 * DAY
    for low, high in ((since, until), (since, None), (None, until)):
        inside = [
            life
            for life in lives
            if (low or 0) <= min(row[3] for row in life["rows"])
            and min(row[3] for row in life["rows"]) < (high or 1e18)
        ]
        for by in ("check", "day"):
            assert report_audits(db, by, SHANGHAI, low, high) == reference(inside, met, by)


def stored(db, *rows, msisdn=NUMBERS[0], contacts=()):
    """Store one anomaly, (status, reason, minutes after T) each, and contacts (minutes); its only row of the report."""
    writer = HistoryWriter(db)
    for n, (status, reason, minute) in enumerate(rows):
        record = {"anomaly_id": "a", "msisdn": msisdn, "check": "activation", "status": status, "reason": reason,
                  "opened_at": T, "occurred_at": T + minute * 60_000}  # fmt: skip
        writer.add(Event("yupan.anomaly.v1", record, f"a{n}", offset=n))
    for minute in contacts:
        record = {"contact_id": f"{minute}", "msisdn": msisdn, "direction": "IN", "occurred_at": T + minute * 60_000}
        writer.add(Event("yupan.contact.v1", record, f"c{minute}"))
    writer.flush()
    one, everything = report_audits(db, "check", SHANGHAI)
    assert everything == one | {"group": "all"}
    return one


def test_one_that_is_found_told_repaired_and_resolved(db):
    row = stored(
        db, ("OPEN", "deadline_passed", 0), ("REPAIRING", "repair_sent", 1), ("RESOLVED", "agrees_again", 3),
        contacts=(2, 7),
    )  # fmt: skip
    assert row == {
        "group": "activation", "opened": 1, "resolved": 1, "withdrawn": 0, "open": 0, "reopened": 0,
        "of_customers": 1, "contact_before": 0, "contact_after": 1, "contact_none": 0, "found_first_share": 1.0,
        "lead_mean_s": 120.0, "lead_p50_s": 120.0, "lead_p90_s": 120.0,
        "resolve_mean_s": 180.0, "resolve_p50_s": 180.0, "resolve_p90_s": 180.0,
        "repairs_sent": 1, "repairs_helped": 1, "repairs_failed": 0,
    }  # fmt: skip


def test_who_came_in_the_day_before_came_first(db):
    row = stored(db, ("OPEN", "deadline_passed", 0), contacts=(-24 * 60, 5))
    assert (row["contact_before"], row["contact_after"], row["found_first_share"]) == (1, 0, 0.0)
    assert row["lead_mean_s"] is None


def test_a_false_alarm_was_not_found_before_anybody(db):
    row = stored(db, ("OPEN", "deadline_passed", 0), ("WITHDRAWN", "not_applicable", 1), contacts=(5,))
    assert (row["withdrawn"], row["of_customers"], row["found_first_share"]) == (1, 0, None)


def test_a_cell_is_nobody_who_could_call(db):
    row = stored(db, ("OPEN", "rate", 0), ("RESOLVED", "rate", 5), msisdn=None, contacts=(3,))
    assert (row["opened"], row["of_customers"], row["found_first_share"], row["resolve_mean_s"]) == (1, 0, None, 300.0)


def test_a_repair_that_ends_in_a_withdrawal_neither_helped_nor_failed(db):
    row = stored(
        db, ("OPEN", "deadline_passed", 0), ("REPAIRING", "repair_sent", 1), ("OPEN", "repair_refused", 2),
        ("REPAIRING", "repair ordered by 1001", 3), ("REPAIRING", "partner_changed", 4), ("WITHDRAWN", "x", 5),
    )  # fmt: skip
    assert (row["repairs_sent"], row["repairs_helped"], row["repairs_failed"]) == (2, 0, 1)


def test_bounds_cut_off_no_contact_and_no_beginning_of_a_call(db):
    """The day before counts though it lies before --from; a call counts from its first phase."""
    stored(db, ("OPEN", "deadline_passed", 0), contacts=(-24 * 60,))
    assert report_audits(db, "check", SHANGHAI, T, T + 1)[0]["contact_before"] == 1
    writer = HistoryWriter(db)
    other = {"anomaly_id": "b", "msisdn": NUMBERS[1], "check": "charging", "opened_at": T, "occurred_at": T}
    writer.add(Event("yupan.anomaly.v1", {**other, "status": "OPEN"}, "b"))
    for phase, at in (("IVR_ENTERED", T - DAY - 1), ("ANSWERED", T - DAY + 60_000)):
        told = {"call_id": "k", "msisdn": NUMBERS[1], "phase": phase, "occurred_at": at}
        writer.add(Event("yupan.call.v1", told, phase, key=NUMBERS[1]))
    writer.flush()
    row = report_audits(db, "check", SHANGHAI, T, T + 1)[1]
    assert (row["group"], row["contact_before"], row["contact_none"]) == ("charging", 0, 1)


def test_nothing_stored_is_an_empty_report(db):
    assert report_audits(db, "check", SHANGHAI) == []
    assert report_audits(db, "day", SHANGHAI, T, T + 1) == []


def test_an_unknown_grouping_is_wrong_use(db):
    with pytest.raises(UsageError, match="check, cause, severity, region, day, month"):
        report_audits(db, "weather", SHANGHAI)


def test_what_agents_decide_is_understood(db):
    """A repair is refused, ordered again and helps; it opens again, and the third is sent an hour after the first."""
    world = World()
    world.crm(0)
    world.until(11 * MIN)
    world.answer(12 * MIN, "REFUSED")
    world.order(13 * MIN)
    world.hlr(14 * MIN)
    world.hlr(20 * MIN, "active")
    world.until(71 * MIN)
    writer = HistoryWriter(db)
    decided = world.of("anomaly")
    for n, line in enumerate(decided):
        times = {"opened_at": millis(decided[0]["at"]), "occurred_at": millis(line["at"])}
        writer.add(Event("yupan.anomaly.v1", {**line, **times}, f"a{n}", offset=n))
    writer.flush()
    assert [line["status"] for line in decided].count("REPAIRING") == 3
    row = report_audits(db, "check", SHANGHAI)[0]
    assert (row["opened"], row["reopened"], row["open"]) == (1, 1, 1)
    assert (row["repairs_sent"], row["repairs_helped"], row["repairs_failed"]) == (3, 1, 1)


def test_the_reasons_of_failure_are_those_that_agents_give():
    assert set(DID_NOT_HELP) == {answer.reason for answer in ANSWERS.values()}
