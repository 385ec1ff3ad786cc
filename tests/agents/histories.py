"""Random histories through `checks replay`, beside a reference that is slow and obviously right.

A reference keeps whole histories and computes everything anew, in the words of contracts. `HISTORIES=10000` draws as
many of each kind; the seed is fixed, `HISTORIES_SEED` is another one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import given, seed, settings
from hypothesis import strategies as st

from agents.replay import Input, Replay
from agents.rules import SHIPPED, Check, Checks, read_file
from schemas.catalogue import EVENTS
from schemas.fields import millis

HISTORIES = int(os.environ.get("HISTORIES", "600"))
SEED = int(os.environ.get("HISTORIES_SEED", "20261127"))
START = 1_767_225_600_000
MIN = 60_000
CUSTOMERS = ("8613800138000", "8613900139000")
STATE, USAGE = "yupan.state.v1", "yupan.usage.v1"

Told = dict[str, Any]
Story = list[tuple[str, int, str, int]]
"""(customer or area, minute, status, minute in which this anomaly has opened first)."""
HOUR = 60


class Lives:
    """What a reference decides: what opens within an hour after it was resolved, about the same, is the same one."""

    def __init__(self) -> None:
        self.story: Story = []
        self._open: dict[tuple[str, str], int] = {}
        self._resolved: dict[tuple[str, str], tuple[int, int, Any]] = {}

    def opens(self, whom: str, at: int, subject: str = "", about: Any = None) -> None:
        ended, first, was_about = self._resolved.pop((whom, subject), (at, at, about))
        if not 0 <= at - ended <= HOUR or about != was_about:
            first = at
        self._open[whom, subject] = first
        self.story.append((whom, at, "OPEN", first))

    def ends(self, whom: str, at: int, status: str, subject: str = "", about: Any = None) -> None:
        first = self._open.pop((whom, subject))
        if status == "RESOLVED":
            self._resolved[whom, subject] = at, first, about
        self.story.append((whom, at, status, first))


def story_of(lines: list[dict[str, Any]]) -> Story:
    """The same of what we decide."""
    first: dict[str, int] = {}
    story = []
    for line in lines:
        if line["kind"] == "anomaly":
            at = (millis(line["at"]) - START) // MIN
            opened = first.setdefault(line["anomaly_id"], at)
            story.append((line["msisdn"] or line["cell"], at, line["status"], opened))
    return story


def check(rule: Any) -> Checks:
    shipped = read_file(SHIPPED / "activation.yaml")
    return Checks([Check(**{**vars(shipped), "rule": rule})])


class CatchingUp(Replay):
    """A worker that reads on before deadlines fire: what comes past a deadline finds it still armed."""

    def feed(self, line: Input) -> Iterator[dict[str, Any]]:
        world = self.worlds[0]
        held, world.next_due = world.next_due, lambda before: None  # type: ignore[method-assign]
        try:
            yield from super().feed(line)
        finally:
            world.next_due = held  # type: ignore[method-assign]


def ours(checks: Checks, events: list[Told], kind: type[Replay] = Replay) -> Story:
    """What we decide. Times of events and of the story are minutes."""
    return story_of(lines_of(checks, events, kind))


def lines_of(checks: Checks, events: list[Told], kind: type[Replay] = Replay) -> list[dict[str, Any]]:
    """The same, as `yupan checks replay` prints it."""
    replay = kind(checks, exchanged=True)  # what is open is judged again, which decides nothing
    lines = []
    for event in events:
        fields = {name: value for name, value in event.items() if name not in ("id", "at", "topic")}
        record = EVENTS[event["topic"]].from_json({**fields, "occurred_at": START + round(event["at"] * MIN)})
        lines += replay.feed(Input(event["topic"], record, event["id"]))
    return [*lines, *replay.finish()]


def by_anomaly(story: Story) -> dict[tuple[str, int], Story]:
    """Told apart by whom and since when: two of one customer may fall due in the same minute, in either order."""
    found: dict[tuple[str, int], Story] = {}
    for line in story:
        found.setdefault((line[0], line[3]), []).append(line)
    return found


def compared(histories: st.SearchStrategy[list[Told]], rule: Any, reference: Callable[[list[Told]], Story]) -> set[str]:
    """Assert that both tell the same of each customer or area; which statuses were decided."""
    checks, decided = check(rule), set()

    @seed(SEED)
    @settings(max_examples=HISTORIES, deadline=None, database=None)
    @given(histories)
    def compare(events: list[Told]) -> None:
        expected, story = reference(events), ours(checks, events)
        assert by_anomaly(story) == by_anomaly(expected)
        decided.update(status for _, _, status, _ in story)

    compare()
    return decided


def caught_up(histories: st.SearchStrategy[list[Told]], rule: Any) -> None:
    """Assert that a worker that catches up decides the same on what comes in order of time."""
    checks = check(rule)

    @seed(SEED)
    @settings(max_examples=HISTORIES, deadline=None, database=None)
    @given(histories.map(lambda events: sorted(events, key=lambda event: event["at"])))
    def compare(events: list[Told]) -> None:
        assert sorted(ours(checks, events)) == sorted(ours(checks, events, CatchingUp))

    compare()


def repeated(events: list[Told], again: list[int]) -> list[Told]:
    """With some of them delivered once more, at the end."""
    return events + [events[n % len(events)] for n in again if events]


def arranged(events: list[Told], arrival: int) -> list[Told]:
    """In order of time in three of four histories."""
    return sorted(events, key=lambda event: event["at"]) if arrival else events


small = st.integers(0, 59)
