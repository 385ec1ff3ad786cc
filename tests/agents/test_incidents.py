"""Technician alerts: one incident, however many customers it hits, told when it begins, grows, and is over."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from agents.conclude import INCIDENT, Conclusions
from agents.cutovers import ALERT, Closings
from agents.incident import REMEMBERED, Alerting, Incident, fall_due, joined, left
from agents.incidents import Incidents
from agents.intake import Intake
from agents.memory import Delivered, MemoryBatch, World
from agents.replay import Input, Replay
from agents.rules import load_checks
from agents.shell import Shell
from schemas.catalogue import EVENTS
from schemas.codec import codecs
from schemas.fields import iso

T0 = 1_795_320_000_000
S, MIN, HOUR = 1_000, 60_000, 3_600_000
WAIT = 10 * S
STATE, USAGE = "yupan.state.v1", "yupan.usage.v1"


def told(at: int, severity: str = "MAJOR", example: str | None = "86138****8000") -> dict[str, Any]:
    return {
        "check": "activation",
        "cause_code": "hlr.status.missing",
        "severity": severity,
        "example": example,
        "occurred_at": T0 + at,
    }


class Story:
    """One incident and what is told of it: (seconds, status, hit)."""

    def __init__(self, **alerting: Any) -> None:
        self.alerting = Alerting(**alerting)
        self.incident: Incident | None = None
        self.said: list[tuple[float, str, int]] = []
        self.ids: list[str] = []
        self.number = 0

    def _take(self, change: Any, at: int) -> None:
        self.incident = change.incident
        if change.tell is not None:
            assert self.incident is not None
            self.said.append((at / S, change.tell, self.incident["hit"]))
            self.ids.append(self.incident["id"])

    def until(self, at: int) -> None:
        """Whatever falls due before."""
        while self.incident is not None and self.incident["due"] is not None and self.incident["due"] <= T0 + at:
            due = self.incident["due"]
            self._take(fall_due(self.incident, due, self.alerting), due - T0)

    def joins(self, at: int, **more: Any) -> None:
        self.until(at)
        self.number += 1
        self._take(joined(self.incident, told(at, **more), f"e{self.number}", self.alerting), at)

    def leaves(self, at: int) -> None:
        self.until(at)
        self._take(left(self.incident, told(at), self.alerting), at)


def test_one_that_lasts_is_told_after_a_moment_and_when_it_is_over() -> None:
    story = Story()
    story.joins(0)
    story.leaves(60 * S)
    story.until(HOUR)
    assert story.said == [(10, "FIRING", 1), (70, "RESOLVED", 1)]
    assert story.incident is not None  # remembered for an hour
    story.until(3 * HOUR)
    assert story.incident is None


def test_what_heals_at_once_is_not_told() -> None:
    story = Story()
    for second in range(0, 600, 20):
        story.joins(second * S)
        story.leaves(second * S + 9 * S)
    assert story.said == []
    assert story.incident is None


def test_fifty_thousand_customers_are_one_incident_of_few_messages() -> None:
    story = Story()
    for number in range(50_000):
        story.joins(10 * number)
    for number in range(50_000):
        story.leaves(600 * S + 10 * number)
    story.until(2 * HOUR - 1)
    assert len(set(story.ids)) == 1
    assert story.said[0] == (10, "FIRING", 1_000)
    assert [hit for _, _, hit in story.said] == [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 50_000]
    assert story.said[-1][1] == "RESOLVED"


def test_that_comes_and_goes_stays_one() -> None:
    story = Story()
    for minute in range(5):
        story.joins(minute * MIN)
        story.leaves(minute * MIN + 55 * S)
    story.until(HOUR)
    assert [status for _, status, _ in story.said] == ["FIRING", "FIRING", "FIRING", "RESOLVED"]  # 1, 2, 4 and the end
    assert len(set(story.ids)) == 1


def test_back_within_an_hour_it_is_the_same_and_later_another() -> None:
    story = Story()
    story.joins(0)
    story.leaves(MIN)
    story.joins(30 * MIN)
    story.leaves(40 * MIN)
    assert story.said[-1][1] == "FIRING"
    story.joins(3 * HOUR)
    story.until(4 * HOUR)
    assert [status for _, status, _ in story.said] == ["FIRING", "RESOLVED", "FIRING", "RESOLVED", "FIRING"]
    first, _, again, _, other = story.ids
    assert first == again != other


def test_one_that_fires_again_and_is_hit_while_it_rests_stays_one_and_is_over_once() -> None:
    story = Story()
    story.joins(0)
    story.leaves(MIN)
    story.joins(30 * MIN)
    story.leaves(90 * MIN)  # more than an hour after it was over the first time
    story.joins(90 * MIN + 5 * S)
    story.leaves(100 * MIN)
    story.until(2 * HOUR)
    assert [status for _, status, _ in story.said] == ["FIRING", "RESOLVED", "FIRING", "RESOLVED"]
    assert len(set(story.ids)) == 1


def test_fewer_than_its_least_are_none() -> None:
    story = Story(at_least=3)
    story.joins(0)
    story.joins(20 * S)
    story.until(10 * MIN)
    assert story.said == []
    story.joins(11 * MIN)
    story.leaves(11 * MIN + 5 * S)  # before it was told
    story.until(20 * MIN)
    assert story.said == []
    story.joins(21 * MIN)
    story.until(22 * MIN)
    assert [status for _, status, _ in story.said] == ["FIRING"]
    story.leaves(23 * MIN)
    story.until(40 * MIN)
    assert len(story.said) == 1  # it is over when none is open
    story.leaves(41 * MIN)
    story.leaves(42 * MIN)
    story.until(43 * MIN)
    assert story.said[-1][1] == "RESOLVED"


def test_a_graver_one_is_told_at_once() -> None:
    story = Story()
    story.joins(0, severity="MINOR")
    story.joins(1 * S, severity="MINOR")
    story.joins(2 * S, severity="MINOR")
    story.joins(MIN, severity="CRITICAL")
    assert [(at, status) for at, status, _ in story.said] == [(10, "FIRING"), (60, "FIRING")]
    assert story.incident is not None
    assert story.incident["severity"] == "CRITICAL"


def test_examples_are_few_and_different() -> None:
    story = Story()
    for number in range(20):
        story.joins(number, example=f"86138****{number // 2:04}")
    assert story.incident is not None
    assert story.incident["examples"] == [f"86138****{n:04}" for n in range(5)]


def test_nobody_leaves_what_he_never_joined() -> None:
    story = Story()
    story.leaves(0)
    assert story.incident is None
    story.joins(S)
    story.until(MIN)
    story.leaves(2 * MIN)
    story.leaves(3 * MIN)
    story.until(4 * MIN)
    assert [status for _, status, _ in story.said] == ["FIRING", "RESOLVED"]


def test_any_history_is_told_in_turns() -> None:
    """FIRING comes first, RESOLVED ends it, the count never falls within a life; at the end all is over."""
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    story, at, opened = Story(at_least=chance.randrange(1, 4), wait=chance.randrange(20) * S), 0, 0
    for _ in range(3_000):
        at += chance.randrange(2 * MIN) if chance.random() < 0.99 else 2 * HOUR
        if opened and chance.random() < 0.52:
            story.leaves(at)
            opened -= 1
        else:
            story.joins(at)
            opened += 1
        assert story.incident is None or story.incident["open"] == opened, seed
    for _ in range(opened):
        story.leaves(at)
    story.until(at + 2 * REMEMBERED)
    assert story.incident is None, seed
    before = "RESOLVED"
    for _, status, _ in story.said:
        assert (before, status) != ("RESOLVED", "RESOLVED"), seed
        before = status
    assert before == "RESOLVED", seed


# --- with the checks


def replayed(*events: tuple[str, dict[str, Any], int], until: int = HOUR) -> list[dict[str, Any]]:
    """What is told of anomalies and alerts; an event is its topic, its fields and its time (ms)."""
    replay, lines = Replay(load_checks()), []
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
    assert "位客户" in found[0]["summary"]
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
