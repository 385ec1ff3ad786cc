"""`yupan checks backtest`: what a check decides now on the events that the topics hold, and what was decided then.

Nothing is written: the events go through the same agents over ledgers in memory, one a partition with a clock of its
own, in the order in which the broker took them. Memory grows with customers and findings, not with events.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from agents import anomalies, reminders
from agents.conclude import COMMAND
from agents.desk import CALL, CUSTOMER, LIST
from agents.differences import EXAMPLES, KINDS, Opening, Pair, paired
from agents.life import REOPENED_WITHIN
from agents.replay import Line, Replay
from agents.rules import Check, Checks
from agents.shadow import ON
from agents.verdicts import AreaRule, Due, anomaly_of
from agents.waiting import Wait
from agents.watch import CALLS, FACT
from agents.watch_files import WatchList
from schemas import headers as wire
from schemas.catalogue import EVENTS
from schemas.codec import Codec
from schemas.errors import RecordError
from schemas.events.anomaly import subject_key
from schemas.events.list import WATCH
from schemas.fields import FAR_FUTURE, iso, millis
from schemas.masking import mask
from schemas.topics import DAY_MS
from sinks.merging import Merged
from streams.settings import Settings
from streams.wording import counted

STATE, USAGE = "yupan.state.v1", "yupan.usage.v1"
SETTLING = 2_000
"""Milliseconds before now in which workers may not have decided yet what is due."""
KEPT = 7 * DAY_MS
"""How long the topic of reminders keeps at least what was withdrawn."""
TELL_EVERY = 1_000
Progress = Callable[[int, str], AbstractContextManager[Callable[[int], None]]]
Wanted = Callable[[Mapping[str, Any]], bool]


@dataclass
class Outcome:
    """What came of a backtest. Times are milliseconds; openings count from `since` to `until`."""

    check: str
    since: int | None = None
    until: int = 0
    begins: int | None = None
    """As of when events are there; None: all that ever came are."""
    events: int = 0
    unusable: int = 0
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    """Findings by `differences.KINDS` and `same`."""
    shifts: dict[str, list[int]] = field(default_factory=dict)
    """By how many milliseconds sooner and later."""
    examples: list[dict[str, Any]] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        """Whether anything is decided otherwise."""
        return any(self.counts[kind] for kind in KINDS)

    def document(self) -> dict[str, Any]:
        """The answer for programs."""
        rate = round(self.events / self.seconds) if self.seconds else 0
        counts = {kind: self.counts[kind] for kind in (*KINDS, "same")}
        return {
            "check": self.check,
            "from": None if self.since is None else iso(self.since),
            "to": iso(self.until),
            "events": self.events,
            "unusable": self.unusable,
            "seconds": round(self.seconds, 3),
            "events_per_s": rate,
            **counts,
            "examples": self.examples,
        }

    def remarks(self) -> Iterator[str]:
        """What whoever reads the answer should know, and how fast it was."""
        if self.begins is not None and self.since is not None and self.since < self.begins:
            yield f"yupan: the topics begin at {iso(self.begins)}: what was opened before cannot be found again"
        if self.unusable:
            yield f"yupan: {counted(self.unusable, 'record')} could not be used, as `yupan dead-letters` says"
        rate = self.document()["events_per_s"]
        yield f"yupan: {counted(self.events, 'event')} in {self.seconds:.1f} s, {rate}/s"


def lines_of(outcome: Outcome, timezone: str) -> Iterator[str]:
    """The answer for people."""
    zone = ZoneInfo(timezone)
    counts = ", ".join(f"{outcome.counts[kind]} {kind}" for kind in (*KINDS, "same"))
    begin = "the beginning" if outcome.since is None else _local(outcome.since, zone)
    yield f"{outcome.check}, {begin} to {_local(outcome.until, zone)}: {counts}"
    for kind, shifts in outcome.shifts.items():
        yield f"  {kind} by {_span(median(shifts))}, at most {_span(max(shifts))}"
    for one in outcome.examples:
        whom = one["msisdn"] or next(f"{per} {one[per]}" for per in ("cell", "region") if one[per])
        told = [f"{name} {_local(millis(one[name]), zone)}" for name in ("now", "then") if one[name]]
        yield f"  {one['what']:<7} {whom} {one['subject'] or ''}  {', '.join(told)}"


def _local(at: int, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(at / 1000, zone):%Y-%m-%d %H:%M:%S}"


def _span(ms: float) -> str:
    return f"{ms / 1000:.3f}".rstrip("0").rstrip(".") + " s"


def topics_of(check: Check | WatchList) -> tuple[str, ...]:
    """What a check or a watch list reads, in the order in which records of the same millisecond are taken."""
    if isinstance(check, Check):
        return (USAGE, COMMAND) if isinstance(check.rule, AreaRule) else (*check.rule.reads, COMMAND)
    reads = check.rule.reads
    states = any(name != CALLS and not name.startswith(FACT) for name in reads)
    return (CUSTOMER, LIST, *((STATE,) if states else ()), *((CALL,) if CALLS in reads else ()))


def wanted_by(check: Check | WatchList) -> dict[str, Wanted]:
    """Which records of a topic may matter, where not all do: the ledger need not hold the others."""
    if isinstance(check, WatchList):
        reads, listed = frozenset(check.rule.reads), check.id
        return {STATE: lambda record: _name(record) in reads, LIST: lambda record: record["list"] == listed}
    rule = check.rule
    if isinstance(rule, AreaRule):
        kind = rule.usage
        return {USAGE: lambda record: record["kind"] == kind}
    subject = rule.subject
    return {
        STATE: lambda record: subject(_name(record)) is not None,
        USAGE: lambda record: subject(f"usage.{record['kind']}") is not None,
    }


def _name(record: Mapping[str, Any]) -> str:
    return f"{record['system']}.{record['attribute']}"


def backtest(
    settings: Settings, check: Check | WatchList, since: int | None, until: int | None, progress: Progress
) -> Outcome:
    """Replay what `check` reads, and compare the openings from `since` to `until` (ms) with those of then.

    Raises `PartError`.
    """
    began, wall = time.monotonic(), round(time.time() * 1000) - SETTLING
    by_wall = settings.clock == "wall"
    outcome = Outcome(check.id)
    when = _at_most_an_hour_ahead if by_wall else _told_at
    with Merged(settings.kafka, settings.kafka_config, topics_of(check), when) as merged:
        run = Run(check, settings, merged.partitions, by_wall=by_wall)
        with progress(merged.total, "replaying") as done:
            for number, message in enumerate(merged.read()):
                run.take(message, is_first=merged.is_first(message))
                if number % TELL_EVERY == 0:
                    done(number)
    now = run.finish(min(wall, until) if until is not None else wall, by_wall=by_wall)
    outcome.events, outcome.unusable, outcome.begins = run.events, run.unusable, run.begins
    outcome.until = until if until is not None else wall if by_wall else run.clock + 1
    outcome.since = since if since is not None else _first_to_compare(check, run.begins, wall if by_wall else None)
    outcome.seconds = time.monotonic() - began
    _compare(outcome, check, run, now, _decided_then(settings, check))
    return outcome


class Run:
    """One replay, and what opens in it."""

    def __init__(self, check: Check | WatchList, settings: Settings, partitions: int, *, by_wall: bool) -> None:
        """`by_wall`: the workers' clock was the wall's."""
        # whatever its mode, it is asked what it would tell; nothing is repaired: that changes no opening
        if isinstance(check, Check):
            checks = Checks([replace(check, mode=ON, repair=None)])
        else:
            checks = Checks([], [replace(check, mode=ON)])
        told = (anomalies.TOPIC,) if isinstance(check, Check) else (reminders.TOPIC,)
        self._replay = Replay(checks, settings.country_code, settings.timezone, partitions, told)
        self._check = check
        self._wanted = wanted_by(check)
        self._by_wall = by_wall
        self._opened: dict[str, Opening] = {}
        self.events = self.unusable = 0
        self.begins: int | None = None

    @property
    def clock(self) -> int:
        """The largest `occurred_at` that was seen."""
        return self._replay.clock

    def take(self, message: Any, *, is_first: bool) -> None:
        """One record. `is_first`: the first that is there of its partition; behind offset 0 earlier ones are gone."""
        self.events += 1
        if is_first and message.offset() > 0:
            self.begins = max(self.begins or 0, _told_at(message))
        topic = message.topic()
        try:
            self._note(self._replay.take(message, self._wanted.get(topic), by_wall=self._by_wall))
        except RecordError:  # a worker dead-letters it
            self.unusable += 1

    def finish(self, until: int, *, by_wall: bool) -> dict[str, Opening]:
        """Let time pass up to `until` (ms), or to the last event where the clock is the events'; what has opened."""
        end: int | None = until if by_wall else None
        rule = self._check.rule
        if end is not None and isinstance(rule, AreaRule):  # when all windows are judged, nothing more can come of time
            end = min(end, self._replay.clock + rule.within + 3 * rule.slide)
        self._note(self._replay.finish(end))
        return self._opened

    def due(self, opening: Opening) -> int | None:
        """When something like `opening` would open if nothing more came; None: nothing is waited for."""
        check = self._check
        if isinstance(check, WatchList) or isinstance(check.rule, AreaRule):
            return None
        waits, each = self._replay.present(opening.whom).waits.items(), bool(check.rule.each)
        found = (wait for name, wait in waits if _is_of(opening, name, wait, each=each))
        wait = next(found, None)
        return wait["due"] if wait is not None and wait["open"] is None and "failed" not in wait else None

    def _note(self, lines: Iterable[Line]) -> None:
        for line in lines:
            opened = _of_reminder(line, self._check) if line["kind"] == "reminder" else _of_anomaly(line, self._check)
            if opened is not None and opened.id not in self._opened:
                self._opened[opened.id] = opened


def _is_of(opening: Opening, name: str, wait: Wait, *, each: bool) -> bool:
    """Whether the wait `name` is about the same as `opening`; where `each` transaction has its own, its id tells."""
    check_id, _, subject = name.partition("|")
    if not each:
        return subject == opening.subject
    return anomaly_of(check_id, Due(subject, 0, {}, opening.whom), wait, {}, "")["id"] == opening.id


def _of_anomaly(line: Mapping[str, Any], check: Check | WatchList) -> Opening | None:
    if line.get("status") != "OPEN":
        return None
    whom = subject_key({"cell": None, "region": None, **line}) or ""
    return Opening(line["anomaly_id"], whom, _subject(check, line["evidence"]), millis(line["at"]))


def _of_reminder(line: Mapping[str, Any], check: Check | WatchList) -> Opening | None:
    if line.get("source_id") != check.id:
        return None
    return Opening(line["reminder_id"], line["msisdn"], "", millis(line["at"]))


def _subject(check: Check | WatchList, evidence: Iterable[str]) -> str:
    """The product that the names of evidence tell, if the check is one of each."""
    if isinstance(check, WatchList) or isinstance(check.rule, AreaRule):
        return ""
    return next((subject for name in evidence if (subject := check.rule.subject(name))), "")


def _told_at(message: Any) -> int:
    """When a record says that it occurred; without headers of ours, when it came."""
    with suppress(RecordError):
        for name, value in message.headers() or ():
            if name == "ce_time":
                return millis(value.decode("utf-8", "replace"))
    return int(message.timestamp()[1])


def _at_most_an_hour_ahead(message: Any) -> int:
    """The same; a worker on the wall clock refuses what lies further in the future."""
    return min(_told_at(message), int(message.timestamp()[1]) + FAR_FUTURE)


def _first_to_compare(check: Check | WatchList, begins: int | None, wall: int | None) -> int | None:
    """From when on the events tell all. `wall`: the wall clock, if it was the workers' clock."""
    if isinstance(check, Check):
        return None if begins is None else begins + check.rule.within
    moments = [begins, None if wall is None else wall - KEPT]
    return max((moment for moment in moments if moment is not None), default=None)


# --- then


def _decided_then(settings: Settings, check: Check | WatchList) -> dict[str, Opening]:
    """What workers decided, by id."""
    topic, read = (reminders.TOPIC, _reminder) if isinstance(check, WatchList) else (anomalies.TOPIC, _anomaly)
    codec, found = Codec(EVENTS[topic]), dict[str, Opening]()
    with Merged(settings.kafka, settings.kafka_config, (topic,)) as merged:
        for message in merged.read():
            opening = read(codec, message, check)
            if opening is not None:
                found.setdefault(opening.id, opening)
    return found


def _anomaly(codec: Codec, message: Any, check: Check | WatchList) -> Opening | None:
    try:
        record = codec.decode(message.value())
    except RecordError:
        return None
    if record["check"] != check.id:
        return None
    subject = _subject(check, record["evidence"])
    return Opening(record["anomaly_id"], subject_key(record) or "", subject, record["opened_at"])


def _reminder(codec: Codec, message: Any, check: Check | WatchList) -> Opening | None:
    """One record of a compacted topic: the first that is left may not be the one that opened it."""
    msisdn, _, reminder_id = (message.key() or b"").decode("utf-8", "replace").partition("|")
    begin, _, _ = reminder_id.rpartition("-")
    if begin != f"watch-{check.id.removeprefix(WATCH)}":
        return None
    opened = f"{reminder_id}|opened|" in wire.read(message.headers()).get("ce_id", "")
    try:
        record = codec.decode(message.value()) if message.value() and opened else None
    except RecordError:
        record = None
    return Opening(reminder_id, msisdn, "", None if record is None else record["occurred_at"])


# --- the difference


def _compare(
    outcome: Outcome, check: Check | WatchList, run: Run, now: Mapping[str, Opening], then: Mapping[str, Opening]
) -> None:
    pairs = [_awaited(pair, run) for pair in paired(now, then, _near(check))]
    counted = [pair for pair in pairs if _lies_between(pair, outcome.since, outcome.until)]
    for pair in sorted(counted, key=lambda pair: (pair.either.at or 0, pair.either.id)):
        outcome.counts[pair.kind] += 1
        if pair.shift:
            outcome.shifts.setdefault(pair.kind, []).append(abs(pair.shift))
        if pair.kind in KINDS and outcome.counts[pair.kind] <= EXAMPLES:
            outcome.examples.append(_example(pair))


def _near(check: Check | WatchList) -> int | None:
    """Milliseconds up to which two ids may be one finding; None: transactions are told apart by their ids alone."""
    if isinstance(check, WatchList):
        return REOPENED_WITHIN
    if not isinstance(check.rule, AreaRule) and check.rule.each:
        return None
    return max(REOPENED_WITHIN, 2 * check.rule.within)


def _awaited(pair: Pair, run: Run) -> Pair:
    """What is not there yet because a longer deadline runs is no less found: it would open later."""
    if pair.now is not None or pair.then is None or (due := run.due(pair.then)) is None:
        return pair
    return Pair(pair.then._replace(at=due), pair.then)


def _lies_between(pair: Pair, since: int | None, until: int) -> bool:
    moments = [opening.at for opening in pair if opening is not None and opening.at is not None]
    return any((since is None or since <= at) and at < until for at in moments)


def _example(pair: Pair) -> dict[str, Any]:
    """A finding for people and programs; the number is masked."""
    per, _, name = pair.either.whom.partition(":")
    shift = pair.shift
    return {
        "what": pair.kind,
        "msisdn": None if name else mask(per),
        "cell": name if per == "cell" else None,
        "region": name if per == "region" else None,
        "subject": pair.either.subject or None,
        "id": pair.either.id,
        "now": _moment(pair.now),
        "then": _moment(pair.then),
        "by_s": None if shift is None else round(abs(shift) / 1000, 3),
    }


def _moment(opening: Opening | None) -> str | None:
    return None if opening is None or opening.at is None else iso(opening.at)
