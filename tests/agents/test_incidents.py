"""Technician alerts: one incident, however many customers it hits, told when it begins, grows, and is over."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from agents.conclude import Conclusions
from agents.cutovers import ALERT, Closings
from agents.incidents import Incidents
from agents.intake import Intake
from agents.joining import INCIDENT
from agents.memory import Delivered, MemoryBatch, World
from agents.replay import Input, Replay
from agents.rules import load_checks
from agents.shell import Shell
from schemas.catalogue import EVENTS
from schemas.codec import codecs
from schemas.fields import iso
from tests.agents.test_incident import HOUR, MIN, T0, WAIT, S, told

STATE, USAGE = "yupan.state.v1", "yupan.usage.v1"


def replayed(
    *events: tuple[str, dict[str, Any], int], until: int = HOUR, repairs: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """What is told of anomalies and alerts; an event is its topic, its fields and its time (ms)."""
    replay, lines = Replay(load_checks(repairs=repairs)), []
    for number, (topic, record, at) in enumerate(events):
        made = EVENTS[topic].from_json({**record, "occurred_at": T0 + at})
        lines += replay.feed(Input(topic, made, f"e{number}"))
    return [*lines, *replay.finish(T0 + until)]


def number(n: int) -> str:
    return f"86138{n:08}"


def suspended(n: int, at: int, region: str = "nanchang") -> tuple[str, dict[str, Any], int]:
    record = {"msisdn": number(n), "system": "crm", "attribute": "status", "value": "suspended", "region": region}
    return STATE, record, at


def barred(n: int, at: int) -> tuple[str, dict[str, Any], int]:
    return STATE, {"msisdn": number(n), "system": "hlr", "attribute": "status", "value": "barred"}, at


def alerts(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if line["kind"] == "alert"]


def test_customers_of_one_region_check_and_cause_are_one_incident() -> None:
    events = [suspended(n, n * S, "nanchang" if n % 2 else "jiujiang") for n in range(40)]
    found = alerts(replayed(*events, *(barred(n, 30 * MIN + n * S) for n in range(40))))
    by_region = {region: [a for a in found if a["region"] == region] for region in ("nanchang", "jiujiang")}
    for mine in by_region.values():
        assert (mine[0]["told"], mine[-1]["told"], mine[-1]["count"]) == ("FIRING", "RESOLVED", 20)
        assert len({a["incident_id"] for a in mine}) == 1
        assert {a["check"] for a in mine} == {"activation"}
    assert found[0]["at"] == iso(T0 + 10 * MIN + WAIT)
    assert "，6 项异常，" in found[0]["summary"]
    assert number(1) not in str(found)


def test_evidence_that_tells_another_cause_moves_an_anomaly() -> None:
    known = barred(1, 0)[1] | {"value": "active"}
    found = alerts(replayed(suspended(1, 0), (STATE, known, 20 * MIN), barred(1, 30 * MIN)))
    missing, differs = ([a for a in found if a["cause_code"].endswith(end)] for end in ("missing", "differs"))
    assert [(a["told"], a["at"]) for a in missing] == [
        ("FIRING", iso(T0 + 10 * MIN + WAIT)),
        ("RESOLVED", iso(T0 + 20 * MIN + WAIT)),
    ]
    assert [(a["told"], a["at"]) for a in differs] == [
        ("FIRING", iso(T0 + 20 * MIN + WAIT)),
        ("RESOLVED", iso(T0 + 30 * MIN + WAIT)),
    ]


def test_one_customer_who_comes_and_goes_is_one_anomaly_of_a_count() -> None:
    wrong = {"value": "active"}
    events = [suspended(1, 0), suspended(2, 0), barred(1, 0), barred(2, 0), (STATE, barred(1, 0)[1] | wrong, MIN)]
    for quarter in range(1, 6):  # the HLR is wrong, and right again past the deadline
        events.append((STATE, barred(2, 0)[1] | wrong, quarter * 15 * MIN))
        events.append(barred(2, quarter * 15 * MIN + 12 * MIN))
    found = alerts(replayed(*events, until=2 * HOUR))
    assert [(a["told"], a["count"]) for a in found] == [("FIRING", 1), ("FIRING", 2)]


def test_what_a_repair_made_graver_counts_until_it_has_healed() -> None:
    due = 10 * MIN
    opened = [line for line in replayed(suspended(1, 0), repairs={"activation": "on"}) if line["kind"] == "repair"]
    refused = {"repair_id": opened[0]["repair_id"], "msisdn": number(1), "outcome": "REFUSED"}
    events = [suspended(1, 0), suspended(2, S), ("yupan.repair-result.v1", refused, due + 30 * S), barred(1, due + MIN)]
    replay = Replay(load_checks(repairs={"activation": "on"}))
    for n, (topic, record, at) in enumerate(events):
        list(replay.feed(Input(topic, EVENTS[topic].from_json({**record, "occurred_at": T0 + at}), f"e{n}")))
        list(replay.finish(T0 + at))
    kept = replay.worlds[0].records["~incident/activation|region:nanchang|hlr.status.missing"]
    assert (kept["severity"], kept["severities"]) == ("CRITICAL", {"MAJOR": 1})
    list(replay.finish(T0 + due + 2 * MIN))
    kept = replay.worlds[0].records["~incident/activation|region:nanchang|hlr.status.missing"]
    assert (kept["severity"], kept["severities"]) == ("MAJOR", {"MAJOR": 1})


def test_a_late_counterpart_alerts_nobody() -> None:
    assert alerts(replayed(suspended(1, 0), barred(1, 10 * MIN + 1))) == []


def test_what_a_worker_that_catches_up_reads_at_once_is_told_as_if_it_had_waited() -> None:
    """Deadlines fire after what stands behind them in the topic: the same is told as when each fires in time."""
    told_at = [("JOINS", 0), ("LEAVES", 5 * MIN), ("JOINS", 20 * MIN), ("JOINS", 21 * MIN), ("LEAVES", 22 * MIN)]
    told_at += [("LEAVES", 23 * MIN), ("JOINS", 4 * HOUR), ("LEAVES", 4 * HOUR + 5 * S)]
    codec = codecs()[INCIDENT]
    shell = Shell(Intake(codecs(), 0, events_clock=True), codecs())
    conclusions = Conclusions(shell, load_checks())
    agent, world = Incidents(shell, conclusions, Closings(shell, conclusions, "en")), World()
    messages = []
    for offset, (change, at) in enumerate(told_at):
        record = {**told(at), "cell": None, "region": "nanchang", "cutover": None, "change": change}
        key = codec.event.key(record) or ""
        messages.append(Delivered(INCIDENT, codec.encode(record), key.encode(), [], offset, T0 + at))
    with MemoryBatch(world, INCIDENT, messages) as batch:
        agent.process(batch)
    while (fired := world.next_due(T0 + 9 * HOUR)) is not None:
        with MemoryBatch(world, INCIDENT, [], [fired]) as batch:
            agent.process(batch)
    found = [codecs()[ALERT].decode(output.value) for output in world.outputs]
    assert [(one["status"], (one["occurred_at"] - T0) / S) for one in found] == [
        ("FIRING", 10),
        ("RESOLVED", 310),
        ("FIRING", 1210),
        ("RESOLVED", 1390),
    ]
    assert len({one["incident_id"] for one in found}) == 1
    assert not world.records


def test_a_cell_is_an_incident_by_itself() -> None:
    def attempt(n: int, at: int, result: str) -> tuple[str, dict[str, Any], int]:
        told = {"msisdn": number(n), "kind": "CALL_ATTEMPT", "result": result, "cell": "c-7", "region": "nanchang"}
        return USAGE, told, at

    bad = [attempt(n, n * S, "OK" if n % 2 else "FAILED") for n in range(120)]
    good = [attempt(n, 10 * MIN + n * S, "OK") for n in range(300)]
    found = alerts(replayed(*bad, *good))
    assert [(a["check"], a["cell"], a["told"], a["count"]) for a in found] == [
        ("network-connect-rate", "c-7", "FIRING", 1),
        ("network-connect-rate", "c-7", "RESOLVED", 1),
    ]
    assert "小区 c-7" in found[0]["summary"]


def test_withdrawn_by_a_person_it_is_over_for_technicians_too() -> None:
    lines = replayed(suspended(1, 0), until=20 * MIN)
    (opened,) = [line for line in lines if line["kind"] == "anomaly"]
    command = {
        "command_id": "k",
        "kind": "WITHDRAW",
        "anomaly_id": opened["anomaly_id"],
        "msisdn": number(1),
        "staff": "1001",
    }
    found = alerts(replayed(suspended(1, 0), ("yupan.command.v1", command, 30 * MIN)))
    assert [a["told"] for a in found] == ["FIRING", "RESOLVED"]


def test_every_opening_is_joined_and_every_end_is_left() -> None:
    """A day of drifts: what fires at the end is what is open then."""
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    events = []
    for n in range(200):
        at, region = chance.randrange(6 * HOUR), chance.choice(("a", "b", "c"))
        events.append(suspended(n, at, region))
        if chance.random() < 0.7:
            events.append(barred(n, at + chance.randrange(30 * MIN)))
    lines = replayed(*sorted(events, key=lambda event: event[2]), until=8 * HOUR)
    balance: Counter[str] = Counter()
    for line in lines:
        if line["kind"] == "anomaly":
            balance[line["status"]] += 1
    firing = {a["incident_id"]: a["told"] for a in alerts(lines)}
    still = [told for told in firing.values() if told == "FIRING"]
    assert len(still) == 3, seed  # of each region some drift stays
    assert balance["OPEN"] > balance["RESOLVED"] > 0, seed


def test_a_region_and_a_cause_may_be_any_text() -> None:
    found = alerts(replayed(suspended(1, 0, "a|b")))
    assert [(a["region"], a["cause_code"]) for a in found] == [("a|b", "hlr.status.missing")]
    told = {"msisdn": number(1), "kind": "CALL_ATTEMPT", "result": "FAILED", "cause": f"x|{number(9)} " + "y" * 200}
    found = alerts(replayed(*((USAGE, told, n * S) for n in range(3))))
    assert len(found) == 1
    assert "|" not in found[0]["cause_code"]
    assert number(9) not in str(found)


def test_the_same_events_make_the_same_ids() -> None:
    events = [suspended(n, n * S) for n in range(5)]
    assert alerts(replayed(*events)) == alerts(replayed(*events))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_guidance_is_there_for_every_shipped_check(language: str) -> None:
    for check in load_checks().by_id.values():
        assert check.alert.guidance[language], check.id
