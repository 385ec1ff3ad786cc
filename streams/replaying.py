"""Replaying dead letters (`yupan dead-letters replay`): which ones, which not, and what came of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from schemas.catalogue import EVENTS
from schemas.errors import UsageError
from schemas.topics import LEDGER
from sinks.dead_letters import DeadLetter, DeadLetters
from sinks.replay import Replayer
from streams.settings import Settings

NAMED = 10
"""Letters that are named with what keeps them from being replayed; the rest is counted."""
Progress = Callable[[int, str], AbstractContextManager[Callable[[int], None]]]


@dataclass(frozen=True)
class Selection:
    """Which letters to take: those of a place, or all that match. Times are epoch milliseconds, of dead-lettering."""

    place: str | None = None
    reason: str | None = None
    topic: str | None = None
    since: int | None = None
    until: int | None = None

    def takes(self, letter: DeadLetter) -> bool:
        """Whether `letter` is meant."""
        return (
            self.place in (None, letter.place)
            and self.reason in (None, letter.reason)
            and self.topic in (None, letter.topic)
            and (self.since is None or letter.at >= self.since)
            and (self.until is None or letter.at < self.until)
        )


@dataclass
class Outcome:
    """What came of a replay."""

    chosen: set[str] = field(default_factory=set)
    """Places of the letters to replay."""
    by_origin: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many of them by reason and topic."""
    before: Counter[str] = field(default_factory=Counter)
    """How many were replayed before, by what became of them."""
    unfit: dict[str, list[str]] = field(default_factory=dict)
    """Places of those that cannot be replayed, by why."""
    replayed: int = 0
    seconds: float = 0.0

    @property
    def skipped(self) -> int:
        """How many letters that were meant were not replayed."""
        return self.before.total() + sum(map(len, self.unfit.values()))


def obstacle(letter: DeadLetter) -> str | None:
    """Why a letter can never be replayed, None when it can."""
    if "truncated" in letter.error:
        return "truncated: the rest of the record is lost"
    if letter.topic == LEDGER:
        return "a deadline: it has no record"
    if letter.topic not in EVENTS:
        return "from a topic that we do not know"
    if EVENTS[letter.topic].flow == "out":
        return "an output of ours: its readers would take it for new"
    return None


def replay(settings: Settings, selection: Selection, progress: Progress, *, dry_run: bool = False) -> Outcome:
    """Write what is waiting back to its topics, once. Raises `UsageError` for a place without letter, `PartError`."""
    began = time.monotonic()
    with DeadLetters(settings.kafka, settings.kafka_config) as letters:
        if dry_run:
            outcome = _survey(letters, selection)
        else:
            once = settings.delivery == "exactly_once"
            # opened before the survey: from now on no other replay writes what the survey does not see
            with Replayer(settings.kafka, settings.kafka_config, transactional=once) as replayer:
                outcome = _survey(letters, selection)
                with progress(len(outcome.chosen), "replaying") as done:
                    outcome.replayed = replayer.replay(_again(letters, outcome.chosen), done)
    outcome.seconds = time.monotonic() - began
    return outcome


def _survey(letters: DeadLetters, selection: Selection) -> Outcome:
    """Choose, without keeping records in memory: what became of a letter is known at the topic's end only."""
    outcome = Outcome()
    meant = [letter.bare() for letter in letters.read() if selection.takes(letter)]
    if selection.place is not None and not meant:
        raise UsageError(
            f"there is no dead letter at {selection.place}; `yupan dead-letters list` prints what is there"
        )
    for letter in meant:
        status, why = letters.standing.of(letter), obstacle(letter)
        if status != "waiting":
            outcome.before[status] += 1
        elif why is not None:
            outcome.unfit.setdefault(why, []).append(letter.place)
        else:
            outcome.chosen.add(letter.place)
            outcome.by_origin[letter.reason, letter.topic] += 1
    return outcome


def _again(letters: DeadLetters, chosen: set[str]) -> Iterator[DeadLetter]:
    """The chosen letters with their records. Stops at the last of them: behind it lie our own marks."""
    missing = set(chosen)
    for letter in letters.read() if missing else ():
        if letter.place in missing:
            missing.discard(letter.place)
            yield letter
        if not missing:
            return
