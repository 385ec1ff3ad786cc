"""The day with known drifts at all nine stations: each is found, and nothing else, by a worker and by a replay."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from typing import Any

from agents.replay import Input, Replay
from agents.rules import load_checks
from benchmarks.common.place import BROKER, Place
from benchmarks.day import program
from benchmarks.day.plan import START, Drift
from benchmarks.day.stories import agree, follow, match, streak
from benchmarks.day.traffic import Traffic
from benchmarks.day.verdict import ENOUGH, RATES, Found, Verdict, compare, incidents, openings
from streams.parts.kafka import Kafka

CHECKS = set(load_checks().by_id)
STORIES = {story.__name__ for module in (agree, match, follow, streak) for story in (*module.NEAR, *module.DRIFTS)}
S, MIN, HOUR = 1_000, 60_000, 3_600_000


def must_be_right(verdict: Verdict, seed: int) -> None:
    assert set(verdict.scores) == CHECKS, seed
    for check, score in verdict.scores.items():
        wanted = ENOUGH if check in RATES else 1.0
        assert min(score.precision, score.recall) >= wanted, (seed, check, score, verdict.wrong)
        assert score.delay_s <= 240 if check in RATES else score.delay_s == 0, (seed, check, score)
    assert verdict.wrong == [], seed


def test_a_worker_finds_all_drifts_and_nothing_else(start_part: Callable[[Kafka], Kafka]) -> None:
    usable = sorted(os.sched_getaffinity(0))
    place = Place(start_part(Kafka(settings=BROKER)), usable[0], usable[-1])
    day = program.run(place, customers=2_000, seed=1, say=print)
    must_be_right(day.verdict, seed=1)
    assert day.verdict.missed_goals() == []
    assert 0 < day.verdict.alerts <= 2 * day.verdict.incidents
    assert day.line()["events"] == day.events > 50_000


def replayed(traffic: Traffic) -> Iterator[dict[str, Any]]:
    """The anomalies that a replay tells of, as records."""
    replay, end = Replay(load_checks()), START
    for until, slice_ in traffic:
        end = until
        for told in slice_:
            yield from replay.feed(Input(told.topic, told.record, told.event_id, told.source))
    yield from replay.finish(max(end, traffic.plan.last) + program.AFTER)


def test_any_day_is_replayed_rightly() -> None:
    """Without Kafka and without waiting, so with another seed each time."""
    seed = random.randrange(1 << 30)
    traffic = Traffic(seed, customers=600)
    seen = [line for line in replayed(traffic) if line["kind"] == "anomaly"]
    drifts = {(drift.check, drift.who) for drift in traffic.plan.drifts}
    opened = [line for line in seen if line["status"] == "OPEN"]
    assert {(line["check"], who(line)) for line in opened} == drifts, seed
    ends = sum(line["status"] in ("RESOLVED", "WITHDRAWN") for line in seen)
    assert len(opened) == len(traffic.plan.drifts), seed
    assert ends == sum(drift.ended is not None for drift in traffic.plan.drifts), seed


def who(line: dict[str, Any]) -> str:
    return line["msisdn"] or (f"cell:{line['cell']}" if line["cell"] else f"region:{line['region']}")


def test_every_story_is_told() -> None:
    traffic = Traffic(1, customers=2_000)
    for _ in traffic:
        pass
    assert {name.partition(": ")[2] for name in traffic.plan.stories} >= STORIES
    assert {drift.check for drift in traffic.plan.drifts} == CHECKS


# --- the judge


def drift(at: int, ended: int | None, number: str = "8613800000001", cause: str = "x.missing") -> Drift:
    status = "" if ended is None else "RESOLVED"
    return Drift("charging", number, f"e{number}-{at}", at, ended, status, "foshan", cause)


def found(one: Drift) -> Found:
    return Found(one.check, one.who, one.trigger, one.at, one.cause, one.ended, one.status)


def judged(seen: list[Found], drifts: list[Drift]) -> Verdict:
    verdict = Verdict()
    compare(verdict, seen, drifts)
    return verdict


def test_what_is_right_is_right() -> None:
    drifts = [drift(0, None), drift(5, 9, "8613800000002")]
    verdict = judged([found(one) for one in drifts], drifts)
    assert verdict.scores["charging"] == (1.0, 1.0, 0.0)
    assert verdict.wrong == []


def test_what_is_missed_invented_late_or_ended_otherwise_is_seen() -> None:
    drifts = [drift(0, None), drift(5, 9, "8613800000002"), drift(7, 8, "8613800000003")]
    late, other = found(drifts[0]), found(drifts[1])
    late.at, other.ended = 4_000, 10
    invented = found(drift(3, None, "8613800000009"))
    verdict = judged([late, other, invented], drifts)
    assert verdict.scores["charging"] == (0.66667, 0.66667, 2.0)
    assert [line.split(":")[1].split(" ")[1] for line in verdict.wrong] == ["otherwise", "not", "missed"]
    assert verdict.missed_goals()


def test_an_anomaly_opens_once_until_it_ends() -> None:
    record = {
        "anomaly_id": "a", "check": "charging", "msisdn": "8613800000001", "cell": None, "region": None,
        "trigger_id": "e", "cause_code": "x.missing",
    }  # fmt: skip
    told = [("OPEN", 1), ("OPEN", 2), ("RESOLVED", 3), ("OPEN", 4), ("WITHDRAWN", 5)]
    seen = openings({**record, "status": status, "occurred_at": at} for status, at in told)
    assert [(one.at, one.ended, one.status) for one in seen] == [(1, 3, "RESOLVED"), (4, 5, "WITHDRAWN")]


def test_incidents_are_told_apart() -> None:
    assert incidents([drift(0, MIN), drift(30 * S, 2 * MIN, "8613800000002")]) == 1  # at the same time
    assert incidents([drift(0, MIN), drift(0, MIN, cause="y.missing")]) == 2
    assert incidents([drift(0, 9 * S)]) == 0  # healed before it is told
    assert incidents([drift(0, MIN), drift(MIN + 10 * S + HOUR, 3 * HOUR)]) == 1  # back within an hour
    assert incidents([drift(0, MIN), drift(MIN + 10 * S + HOUR + 1, 3 * HOUR)]) == 2
    assert incidents([drift(0, None), drift(5 * HOUR, None)]) == 1
