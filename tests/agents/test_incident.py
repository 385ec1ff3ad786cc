"""One incident, pure: told when it has lasted, grows or becomes graver, once a day, and when it is over."""

from __future__ import annotations

import random
from typing import Any

from agents.incident import AGAIN, REMEMBERED, Alerting, Incident, fall_due, graver, joined, left

T0 = 1_795_320_000_000
S, MIN, HOUR = 1_000, 60_000, 3_600_000
WAIT = 10 * S


def told(
    at: int,
    severity: str = "MAJOR",
    example: str | None = "86138****8000",
    *,
    again: bool = False,
    was: str | None = None,
) -> dict[str, Any]:
    return {
        "check": "activation",
        "cause_code": "hlr.status.missing",
        "severity": severity,
        "example": example,
        "again": again,
        "was": was,
        "old": None,
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

    def leaves(self, at: int, **more: Any) -> None:
        self.until(at)
        self._take(left(self.incident, told(at, **more), self.alerting), at)

    def becomes(self, at: int, was: str, severity: str) -> None:
        self.until(at)
        self._take(graver(self.incident, told(at, severity, was=was), self.alerting), at)


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


def test_too_few_are_looked_at_in_time_also_without_a_wait() -> None:
    story = Story(at_least=2, wait=0)
    story.joins(0)
    story.until(0)
    assert story.incident is not None
    assert story.incident["due"] == T0 + S
    story.joins(5 * S)
    story.until(5 * S)
    assert story.said == [(5, "FIRING", 2)]


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


def test_its_severity_falls_when_the_graver_ones_have_been_over_for_a_moment() -> None:
    story = Story()
    story.joins(0)
    story.joins(0)
    story.becomes(MIN, "MAJOR", "CRITICAL")
    story.leaves(2 * MIN, severity="CRITICAL")
    story.joins(2 * MIN + 5 * S, severity="CRITICAL", again=True)  # at once back: nothing to tell
    story.until(3 * MIN)
    assert [(at, story) for at, story, _ in story.said] == [(10, "FIRING"), (60, "FIRING")]
    story.becomes(3 * MIN, "CRITICAL", "MAJOR")
    story.until(4 * MIN)
    assert story.said[2:] == [(190, "FIRING", 2)]
    assert story.incident is not None
    assert (story.incident["severity"], story.incident["severities"]) == ("MAJOR", {"MAJOR": 2})
    story.leaves(5 * MIN)
    story.leaves(5 * MIN, severity="MINOR")  # its check's file says another one by now
    story.until(6 * MIN)
    assert [status for _, status, _ in story.said[3:]] == ["RESOLVED"]


def test_the_same_anomaly_again_is_no_growth() -> None:
    story = Story()
    story.joins(0)
    for minute in range(1, 20, 2):
        story.joins(minute * MIN, again=minute > 1)
        story.leaves((minute + 1) * MIN)
    assert story.said == [(10, "FIRING", 1), (60, "FIRING", 2)]


def test_one_that_fires_is_told_again_once_a_day_by_the_same_id() -> None:
    story = Story()
    story.joins(0)
    story.joins(HOUR, again=True)
    story.leaves(2 * HOUR)
    for day in range(1, 40):
        story.leaves(day * AGAIN + HOUR)  # it comes and goes, within the moment that ends it
        story.joins(day * AGAIN + HOUR + S, again=True)
    story.until(40 * AGAIN)
    daily = [(10 + day * AGAIN / S, "FIRING", 2) for day in range(1, 40)]
    assert story.said == [(10, "FIRING", 1), (HOUR / S, "FIRING", 2), *((at + 3590, *rest) for at, *rest in daily)]
    assert len(set(story.ids)) == 1
    story.leaves(40 * AGAIN)
    story.until(60 * AGAIN)
    assert [status for _, status, _ in story.said[-2:]] == ["FIRING", "RESOLVED"]
    assert story.incident is None


def test_a_least_that_was_lowered_counts_for_what_gathers() -> None:
    story = Story(at_least=5)
    for _ in range(3):
        story.joins(0)
    story.until(10 * HOUR)
    assert story.said == []
    story.alerting = Alerting(at_least=2)
    story.until(11 * HOUR)
    assert [told[1:] for told in story.said] == [("FIRING", 3)]
    story.alerting = Alerting(at_least=5)
    story.until(12 * HOUR)
    assert len(story.said) == 1


def test_what_leaves_or_joins_finds_a_least_that_was_lowered_at_once() -> None:
    for change in ("joins", "leaves"):
        story = Story(at_least=5)
        for _ in range(3):
            story.joins(0)
        story.until(10 * HOUR)
        story.alerting = Alerting(at_least=2)
        getattr(story, change)(10 * HOUR + S)
        story.until(10 * HOUR + S + WAIT)
        assert [at for at, *_ in story.said] == [36_011], change


def test_an_incident_of_an_older_record_goes_on() -> None:
    story = Story()
    story.joins(0)
    story.joins(0)
    story.until(MIN)
    assert story.incident is not None
    older: Any = {name: value for name, value in story.incident.items() if name not in ("severities", "told_at")}
    story.incident = {**older, "due": None}
    story.joins(2 * MIN)
    assert story.incident["severities"] == {"MAJOR": 3}
    for _ in range(3):
        story.leaves(3 * MIN)
    story.until(4 * MIN)
    assert story.said[-1] == (190, "RESOLVED", 3)


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
