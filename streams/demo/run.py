"""`yupan demo`: everything on this machine, with the traffic of a province, and what is found in it."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from threading import Event
from typing import Any

from schemas.codec import codecs
from sinks.clickhouse import ClickHouse
from streams.demo.tail import Tail
from streams.demo.tally import OUT, Tally
from streams.demo.view import Progress, open_view
from streams.dev import Stack
from streams.importing.waiting import Waiting
from streams.settings import Settings
from streams.simulate.day import Day
from streams.simulate.drive import deadlines_in_force, drive, now_ms, publisher
from streams.simulate.stage import Happening
from streams.simulate.traffic import Traffic

DEADLINES = {"activation": 5_000}
"""Shortened, so that a demo shows what takes minutes in production."""
CUSTOMERS, DRIFT, HASTE = 400, 0.15, 5.0
SPEED_UP, HOUR = 240.0, 9.0
"""A day passes in six minutes, from nine in the morning."""
SETTLE_S = 8.0
COUNT_EVERY_MS = 1_000


def shortened(settings: Settings) -> Settings:
    """The settings of a demo: short deadlines, unless the environment says otherwise."""
    return settings.with_(deadlines={**DEADLINES, **settings.deadlines})


class Demo:
    """One demo on a running `Stack`."""

    def __init__(self, stack: Stack, seed: int, rate: float, seconds: float | None) -> None:
        self._stack = stack
        self._settings = stack.settings
        start = now_ms()
        self._seconds = seconds
        self._day = Day(start, self._settings.timezone, SPEED_UP, HOUR)
        self._traffic = Traffic(
            seed=seed,
            start=start,
            rate=rate,
            customers=CUSTOMERS,
            drift=DRIFT,
            seconds=seconds,
            deadlines=deadlines_in_force(self._settings),
            day=self._day,
            haste=HASTE,
        )
        self._tally = Tally(self._traffic.injected, start)
        self._counted_at = 0

    def run(self, stopped: Event) -> Mapping[str, Any]:
        """Send, watch and count until the end or until `stopped`; the summary of contracts.md."""
        producer = publisher(self._settings)

        def publish(event: Happening) -> None:
            self._tally.sent(event, now_ms())
            producer.publish(event.topic, event.record, event_id=event.id, source=event.source)

        def received(topic: str, record: Mapping[str, Any] | None) -> None:
            self._tally.received(topic, record, now_ms())

        kafka, config = self._settings.kafka, self._settings.kafka_config
        with (
            Tail(kafka, config, codecs(), OUT, self._settings.partitions, received),
            self._view() as view,
        ):
            drive(self._traffic, publish, stopped, tick=lambda now: self._tick(view, now))
            ended = now_ms()
            Waiting(kafka, config, patience_s=SETTLE_S).until_readable(producer.flush())
            self._settle(view, ended)
        return self._tally.summary(ended)

    def _view(self) -> Progress:
        settings = self._settings
        return open_view(
            self._tally,
            day=self._day,
            deadlines=settings.deadlines,
            language=settings.language,
            timezone=settings.timezone,
            seconds=self._seconds,
            file=sys.stderr,
        )

    def _tick(self, view: Progress, now: int) -> None:
        self._stack.watch()
        if now - self._counted_at >= COUNT_EVERY_MS:
            self._counted_at = now
            self._tally.contacts_stored = contacts_stored(self._stack.clickhouse)
        view.update(now)

    def _settle(self, view: Progress, ended: int) -> None:
        """Give what fell due at the very end the moment that it takes to be found."""
        patience = time.monotonic() + SETTLE_S
        while time.monotonic() < patience:
            self._tick(view, now_ms())
            injected, found = self._tally.drifts(ended)
            if found >= injected:
                break
            time.sleep(0.1)
        self._tally.contacts_stored = contacts_stored(self._stack.clickhouse)


def contacts_stored(db: ClickHouse) -> int:
    """Rows of contact history, repeats left out."""
    return int(db.query("SELECT count() AS n FROM contacts FINAL")[0]["n"])
