"""What was found, compared with what was put in: precision, recall and delay of each check, and the alerts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from agents.incident import REMEMBERED, Alerting
from benchmarks.day.plan import Drift
from benchmarks.day.stories.rate import JUDGED_MS
from benchmarks.reference.broker import read
from schemas.codec import codecs
from schemas.dead_letter import DEAD_LETTER
from schemas.headers import ERROR
from schemas.headers import read as by_name

ANOMALY = "yupan.anomaly.v1"
ALERT = "yupan.alert.v1"
RATES = ("network-connect-rate", "sms-delivery-rate")
EXACT, ENOUGH = 1.0, 0.98
"""Precision and recall that a check must have; of rates the second."""
STORM = 2
"""Alerts for each incident that are too many."""
SHOWN = 3
WAIT_MS = Alerting().wait


@dataclass
class Found:
    """An anomaly that opened, and how it ended. Times are ms."""

    check: str
    who: str
    trigger: str
    at: int
    cause: str
    ended: int | None = None
    status: str = ""


class Score(NamedTuple):
    """Of one check."""

    precision: float
    recall: float
    delay_s: float


@dataclass
class Verdict:
    """Of a day."""

    scores: dict[str, Score] = field(default_factory=dict)
    alerts: int = 0
    """Incidents of which technicians were told."""
    alert_records: int = 0
    incidents: int = 0
    """Those that were put in."""
    dead_letters: int = 0
    wrong: list[str] = field(default_factory=list)
    """What was missed, found without being there, or ended otherwise: some of each, in words."""

    def missed_goals(self) -> list[str]:
        """What must hold and does not, in words."""
        missed = []
        for check, score in self.scores.items():
            wanted = ENOUGH if check in RATES else EXACT
            if min(score.precision, score.recall) < wanted:
                missed.append(f"{check}: precision {score.precision}, recall {score.recall}, not {wanted}")
        if self.alerts > STORM * self.incidents:
            missed.append(f"{self.alerts} alerts of {self.incidents} incidents")
        if self.dead_letters:
            missed.append(f"{self.dead_letters} dead letters")
        return missed


def judge(bootstrap: str, drifts: Sequence[Drift]) -> Verdict:
    """Read all that was decided and compare."""
    alerts = list(_records(bootstrap, ALERT))
    dead = [by_name(message.headers()) for message in read(bootstrap, DEAD_LETTER)]
    verdict = Verdict(
        alerts=len({record["incident_id"] for record in alerts if record["status"] == "FIRING"}),
        alert_records=len(alerts),
        incidents=incidents(drifts),
        dead_letters=len(dead),
        wrong=[f"dead letter of {one[f'{ERROR}topic']}: {one[f'{ERROR}message']}" for one in dead[:SHOWN]],
    )
    compare(verdict, openings(_records(bootstrap, ANOMALY)), drifts)
    return verdict


def compare(verdict: Verdict, found: Iterable[Found], drifts: Iterable[Drift]) -> None:
    """Fill in the scores of each check that anything was put in or found of, and what is wrong."""
    opened, injected = defaultdict(list), defaultdict(list)
    for one in found:
        opened[one.check].append(one)
    for drift in drifts:
        injected[drift.check].append(drift)
    for check in sorted({*opened, *injected}):
        score = _score(check, opened[check], injected[check], verdict.wrong)
        verdict.scores[check] = score


def _score(check: str, found: Sequence[Found], drifts: Sequence[Drift], wrong: list[str]) -> Score:
    of_areas = check in RATES
    waiting: dict[tuple[str, str], list[Drift]] = defaultdict(list)
    for drift in drifts:
        waiting[drift.who, drift.trigger].append(drift)
    delays: list[int] = []
    strange: list[str] = []
    for one in found:
        candidates = waiting[one.who, "" if of_areas else one.trigger]
        drift = next((each for each in candidates if _is_of(each, one, of_areas)), None)
        if drift is None:
            strange.append(f"{check}: not put in: {one}")
            continue
        candidates.remove(drift)
        delays.append(one.at - drift.at)
        if not _ended_alike(drift, one, of_areas) or drift.cause != one.cause:
            wrong.append(f"{check}: otherwise than {drift}: {one}")
    missed = [f"{check}: missed: {drift}" for left in waiting.values() for drift in left]
    wrong += [*strange[:SHOWN], *missed[:SHOWN]]
    right = len(delays)
    return Score(
        round(right / len(found), 5) if found else 1.0,
        round(right / len(drifts), 5) if drifts else 1.0,
        round(sum(delays) / right / 1000, 3) if right else 0.0,
    )


def _is_of(drift: Drift, found: Found, of_areas: bool) -> bool:
    if not of_areas:
        return True
    return drift.at <= found.at <= (drift.ended or 0) + JUDGED_MS


def _ended_alike(drift: Drift, found: Found, of_areas: bool) -> bool:
    if of_areas:
        since = drift.ended or 0
        return found.status == drift.status and since <= (found.ended or 0) <= since + JUDGED_MS
    return (found.ended, found.status) == (drift.ended, drift.status)


def openings(records: Iterable[Mapping[str, Any]]) -> list[Found]:
    """The anomalies that opened, each time that they did; records of one are in order."""
    found: list[Found] = []
    is_open: dict[str, Found] = {}
    for record in records:
        name, at = record["anomaly_id"], record["occurred_at"]
        if record["status"] in ("RESOLVED", "WITHDRAWN"):
            one = is_open.pop(name, None)
            if one is not None:
                one.ended, one.status = at, record["status"]
        elif name not in is_open:
            who = record["msisdn"] or (f"cell:{record['cell']}" if record["cell"] else f"region:{record['region']}")
            one = is_open[name] = Found(record["check"], who, record["trigger_id"], at, record["cause_code"])
            found.append(one)
    return found


# --- incidents


def incidents(drifts: Iterable[Drift]) -> int:
    """How many incidents are in these: open anomalies of one check, area and cause, as contracts tell them apart.

    Computed from what was put in, not from what `agents/incident.py` made of it: an incident is a time in which at
    least one is open; shorter ones than `wait` are not told, and one that begins within the hour after is the same.
    """
    groups: dict[tuple[str, str, str], list[tuple[int, float]]] = defaultdict(list)
    for drift in drifts:
        ended = float("inf") if drift.ended is None else drift.ended
        groups[drift.check, drift.area, drift.cause].append((drift.at, ended))
    return sum(_told(_spans(sorted(times))) for times in groups.values())


def _spans(times: Iterable[tuple[int, float]]) -> Iterator[tuple[int, float]]:
    """The times in which at least one is open."""
    since: int | None = None
    until = 0.0
    for begin, end in times:
        if since is None or begin > until:
            if since is not None:
                yield since, until
            since, until = begin, end
        until = max(until, end)
    if since is not None:
        yield since, until


def _told(spans: Iterable[tuple[int, float]]) -> int:
    count, over = 0, float("-inf")
    for since, until in spans:
        if until - since < WAIT_MS:
            continue
        if since > over + WAIT_MS + REMEMBERED:
            count += 1
        over = until
    return count


def _records(bootstrap: str, topic: str) -> Iterator[dict[str, Any]]:
    decode = codecs()[topic].decode
    return (decode(message.value()) for message in read(bootstrap, topic))


def by_story(stories: Counter[str]) -> str:
    """What was told, for people."""
    return ", ".join(f"{name} {count}" for name, count in sorted(stories.items()))
