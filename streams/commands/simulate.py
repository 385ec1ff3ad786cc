"""`yupan simulate`: the traffic of a simulated province onto any broker."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streams.options import FiniteRange

if TYPE_CHECKING:
    from streams.simulate.stage import Injected
    from streams.simulate.traffic import Traffic

_SAY_EVERY_S = 5.0


@click.command(
    epilog="""\b
    Example:  yupan simulate --seed 7 --rate 100 --seconds 60 --injected drifts.jsonl
    (drifts fall due within 60 s only when workers and simulate have, say, YUPAN_DEADLINES=activation=5s)"""
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed: the same people and stories.")
@click.option(
    "--rate",
    type=FiniteRange(0, min_open=True),
    default=50,
    show_default=True,
    help="Events a second, on a day's average.",
)
@click.option("--seconds", type=FiniteRange(0), help="End after so long.  [until Ctrl-C]")
@click.option(
    "--customers", type=click.IntRange(1), default=2000, show_default=True, help="Numbers in use at the start."
)
@click.option(
    "--drift", type=FiniteRange(0, 1), default=0.1, show_default=True, help="Share of status changes that drift."
)
@click.option(
    "--speed-up",
    type=FiniteRange(0),
    default=1,
    show_default=True,
    help="The day's shape passes so much faster; 0: it stands still.",
)
@click.option("--hour", type=FiniteRange(0, 24), help="The hour of the day at the start.  [what it is now]")
@click.option(
    "--haste",
    type=FiniteRange(0, min_open=True),
    default=1,
    show_default=True,
    help="Calls and orders are so much shorter.",
)
@click.option(
    "--ago", default="0s", show_default=True, help="Begin so long ago (10min, 2h); what has passed is sent at once."
)
@click.option(
    "--injected", type=click.Path(dir_okay=False, path_type=Path), help="Write the drifts there as JSON lines."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout at the end.")
def command(injected: Path | None, as_json: bool, **options: Any) -> None:
    """Write believable traffic of a province to Kafka: calls, contacts, states, with drifts at a known rate.

    Every drift is one that check `activation` must find, and nothing else is. With --seconds no drift is put in
    that cannot fall due before the end.
    """
    from streams.running import until_signalled
    from streams.settings import Settings
    from streams.simulate.drive import deadlines_in_force, drive, publisher

    settings = Settings.load()
    traffic = _traffic(options, settings.timezone, deadlines_in_force(settings))
    _warn(traffic, options)
    producer = publisher(settings)
    report = _Report(traffic, injected)
    with until_signalled() as stopped:
        stopped.wait(0)
        events = drive(
            traffic,
            lambda e: producer.publish(e.topic, e.record, event_id=e.id, source=e.source),
            stopped,
            tick=report.tick,
        )
        producer.flush()
    summary = report.end(events)
    if as_json:
        click.echo(json.dumps(summary | {"seed": options["seed"], "customers": options["customers"]}))


def _traffic(options: dict[str, Any], timezone: str, deadlines: dict[str, int]) -> Traffic:
    from schemas.errors import UsageError
    from streams.settings import duration_ms
    from streams.simulate.day import Day
    from streams.simulate.drive import now_ms
    from streams.simulate.traffic import Traffic

    try:
        ago = duration_ms(options["ago"])
    except (ValueError, KeyError):
        raise UsageError(f"--ago: {options['ago']!r} is no time span such as 30s, 10min or 2h") from None
    start = now_ms() - ago
    seconds = options["seconds"]
    return Traffic(
        seed=options["seed"],
        start=start,
        rate=options["rate"],
        customers=options["customers"],
        drift=options["drift"],
        seconds=None if seconds is None else seconds + ago / 1000,
        deadlines=deadlines,
        day=Day(start, timezone, options["speed_up"], options["hour"]),
        haste=options["haste"],
    )


def _warn(traffic: Traffic, options: dict[str, Any]) -> None:
    within = traffic.deadlines["activation"] / 1000
    if options["drift"] and traffic.end <= traffic.start + within * 1000:
        click.echo(
            f"yupan: no drift can fall due: activation waits {within:g} s. Give it longer, or set "
            "YUPAN_DEADLINES=activation=5s for simulate and for the workers",
            err=True,
        )


class _Report:
    """What goes to the terminal and to the file of drifts while it runs."""

    def __init__(self, traffic: Traffic, file: Path | None) -> None:
        from streams.simulate.drive import now_ms

        self._traffic = traffic
        self._file = file
        self._begun = self._said = now_ms()
        self._written = 0
        self._write("w")

    def tick(self, now: int) -> None:
        """Write new drifts to the file, and now and then a line to the terminal."""
        self._write("a")
        if now - self._said >= _SAY_EVERY_S * 1000:
            self._said = now
            end = "\r" if sys.stderr.isatty() else "\n"
            click.echo(f"yupan: {self._line(now)}{end}", nl=False, err=True)

    def end(self, events: int) -> dict[str, Any]:
        """The summary; the file has all drifts then."""
        from streams.simulate.drive import now_ms

        self._written = 0
        self._write("w")
        now = now_ms()
        click.echo(f"yupan: {events:,} events, {self._line(now)}", err=True)
        drifts = len(self._traffic.injected)
        return {"events": events, "drifts_injected": drifts, "seconds": round((now - self._begun) / 1000, 1)}

    def _line(self, now: int) -> str:
        hour = self._traffic.day.hour(now)
        drifts = len(self._traffic.injected)
        seconds = (now - self._begun) // 1000
        return f"{drifts} drifts, {seconds} s, {int(hour):02d}:{int(hour % 1 * 60):02d} o'clock there"

    def _write(self, mode: str) -> None:
        fresh = self._traffic.injected[self._written :]
        if self._file is None or (mode == "a" and not fresh):
            return
        with _opened(self._file, mode) as file:
            file.writelines(json.dumps(_plain(drift)) + "\n" for drift in fresh)
        self._written += len(fresh)


def _plain(drift: Injected) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(drift)


def _opened(file: Path, mode: str) -> Any:
    from schemas.errors import UsageError

    try:
        return file.open(mode, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--injected: {file} cannot be written ({error.strerror})") from None
