"""The traffic of a simulated province: a pure stream of events, the same for the same seed and start."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from streams.simulate import calls, care, changes, contacts, openings, usage
from streams.simulate.day import Day
from streams.simulate.desk import Desk
from streams.simulate.prologue import prologue
from streams.simulate.stage import Happening, Injected, Stage, Story

Mix = Sequence[tuple[Story, float]]
"""How often each story begins, relative to the others."""
MIX: Mix = (
    (calls.call, 18),
    (contacts.chat, 9),
    (contacts.self_service, 8),
    (contacts.order, 3),
    (contacts.post, 1.5),
    (contacts.complaint, 0.7),
    (changes.status, 16),
    (changes.recharge, 7),
    (changes.charge, 6),
    (changes.subscription, 4),
    (changes.network_type, 2),
    (changes.password, 0.8),
    (openings.opening, 6),
    (care.task, 3),
    (care.ticket, 0.5),
    (usage.attempt, 12),
    (usage.message, 6),
    (usage.session, 6),
)
"""A call centre's day: what somebody who watches wants to see happen, rather than what happens most."""
_CALL_SECONDS = 100
"""How long a call and the work after it keep a seat, on average."""
_CALLS_PER_EVENT = 0.055
"""The share of calls in all events, measured."""


class Traffic:
    """Iterate over it for `Happening`s in order of time. Times are ms.

    `rate` is events a second on the day's average, which `day` shapes; `drift` the share of status changes
    that the network does not follow; `deadlines` maps check to ms where other ones than the usual are in force;
    `haste` shortens calls and orders; `mix`: how often which story is told; `known`: everybody was told of before, by a
    traffic of the same seed and as many customers.
    With `seconds` it ends, and every drift falls due before.
    """

    def __init__(
        self,
        *,
        seed: int,
        start: int,
        rate: float,
        customers: int = 2000,
        drift: float = 0.05,
        seconds: float | None = None,
        deadlines: Mapping[str, int] | None = None,
        day: Day | None = None,
        haste: float = 1.0,
        mix: Mix = MIX,
        known: bool = False,
    ) -> None:
        self.start = start
        self.end = math.inf if seconds is None else start + seconds * 1000
        self.day = day or Day(start, "Asia/Shanghai")
        self.injected: list[Injected] = []
        """The drifts put in so far."""
        self._rate = rate
        self._stories = [story for story, _ in mix]
        self._weights = [weight for _, weight in mix]
        self._stage = Stage(
            seed=seed,
            start=start,
            end=self.end,
            customers=customers,
            deadlines=deadlines or {},
            haste=haste,
            drift=drift,
            desk=Desk(3 + math.ceil(rate * _CALLS_PER_EVENT * 2 * _CALL_SECONDS / haste)),
        )
        self._known = known
        self._settled = False
        self._length = int(min(3000.0, (self.end - start) / 5))

    @property
    def deadlines(self) -> Mapping[str, int]:
        """Check to deadline (ms), as it was taken to be."""
        return self._stage.deadlines

    def __iter__(self) -> Iterator[Happening]:
        stage, rng = self._stage, self._stage.rng
        prologue(stage, self._length, people=not self._known)
        arrival, counted = stage.start + self._length + 1.0, stage.planned
        while not self._settled:
            if stage.next_at() <= arrival:
                if stage.next_at() >= self.end:
                    return
                event = stage.take(self.injected)
                if event is not None:
                    yield event
            elif arrival >= self.end and stage.next_at() >= self.end:
                return
            else:
                at = int(arrival)
                rng.choices(self._stories, self._weights)[0](stage, at)
                # A story of many events is followed by a longer pause, so the rate holds whatever the mix.
                told, counted = max(1, stage.planned - counted), stage.planned
                arrival += rng.expovariate(1) * told * 1000 / (self._rate * self.day.busyness(at))

    def settle(self, at: int) -> list[Happening]:
        """End now, before the end: the counterparts that are on their way, with `occurred_at` ≤ `at` (ms).

        Repairs that lay in the future come no more, and the list of drifts says so.
        """
        self._settled = True
        rest = self._stage.owed(at, self.injected)
        for index, drift in enumerate(self.injected):
            if drift.repaired_at is not None and drift.repaired_at > at:
                self.injected[index] = replace(drift, repaired_at=None)
        return rest
