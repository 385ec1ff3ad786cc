"""The sections on soaks: with all parts there, and with ClickHouse and the broker taken away."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.report.markdown import table
from benchmarks.soak.chart import Band, svg
from benchmarks.soak.samples import fifths

SETTLING_S = 10.0
"""From here on a sample tells of what was away, and not of the moment before."""
TEXT = """\
A whole Yupan on this machine: Apache Kafka, a ClickHouse server, a worker of each role, the simulator's mix of events.
The capacity is how fast a worker of each role works off a backlog, both at the same time; *all* is what both get done
while more than that is written, on the same cores: {capacity}.
The load was {rate:,} events a second of {customers:,} customers for {minutes:g} minutes.
{away}

![Memory, lag, events, pops and reminders over time](performance/{name}.svg)

{course}

What grows in `decide` are armed deadlines: each call is forgotten an hour after its end, and until then it has one. So
do the records of those who call again within the hour, which are read and written at each phase.

{answers}
{phases}
At the end {records:,} records lay in the topics that the history keeps; {missing}. The workers caught up
{caught_up:.0f} s after the load had ended; {restarts} of them were started again meanwhile, {unanswered} probes had no
answer."""


class Soak:
    """A section; see `page.Section`."""

    def __init__(self, name: str, title: str) -> None:
        self.TITLE = title
        self._name = name

    def text(self, found: Mapping[str, Any]) -> str:
        """What was done, memory, latencies, and whether anything is missing."""
        capacity = ", ".join(f"{role} {rate:,.0f}" for role, rate in found["capacity"].items())
        head = ("", "in the second fifth", "in the last fifth", "at most")
        course = [
            (f"{of}, MB", *(f"{one[key]:,.0f}" for key in ("early_mb", "late_mb", "most_mb")))
            for of, one in found["memory"].items()
        ]
        for role in ("decide", "history"):
            behind = fifths([lag for sample in found["samples"] if (lag := sample["lag"][role]) is not None])
            course.append((f"{role}, records behind", *(f"{records:,.0f}" for records in behind)))
        return TEXT.format(
            capacity=f"{capacity} events a second",
            customers=found["customers"],
            rate=found["rate"],
            minutes=found["seconds"] / 60,
            away=_away(found),
            name=self._name,
            course=table(head, course),
            answers=table(("", "p50, ms", "p99, ms", "longest, ms", "probes"), _answers(found)),
            phases=_phases(found),
            records=found["records"],
            missing="none is missing in ClickHouse" if not found["missing"] else f"**missing: {found['missing']}**",
            caught_up=found["caught_up_s"],
            restarts=found["restarts"] or "none",
            unanswered=found["unanswered"],
        )

    def charts(self, found: Mapping[str, Any]) -> dict[str, str]:
        """All samples."""
        return {f"{self._name}.svg": svg(found["samples"], [Band(**band) for band in found["away"]])}


def _away(found: Mapping[str, Any]) -> str:
    gone = [f"{band['what']} was killed and away for {band['until'] - band['since']:.0f} s" for band in found["away"]]
    return f"Meanwhile {', then '.join(gone)}." if gone else "Nothing was taken away."


def _phases(found: Mapping[str, Any]) -> str:
    """What was seen before anything was taken away, and while each part was away: medians of the samples."""
    bands = [Band(**band) for band in found["away"]]
    if not bands:
        return ""
    before = Band("nothing", 0.0, min(band.since for band in bands))
    rows = [_phase(band, found["samples"]) for band in (before, *bands)]
    head = (
        "away",
        "pops p50, ms",
        "pops p99, ms",
        "reminders p50, ms",
        "history, MB",
        "broker said to be up, of samples",
    )
    return f"\nWhat a sample of 5 s showed in the middle, by what was away at the time:\n\n{table(head, rows)}\n"


def _phase(band: Band, samples: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    within = [sample for sample in samples if band.since + SETTLING_S <= sample["s"] < band.until]

    def middle(group: str, key: str) -> str:
        seen = [sample[group][key] for sample in within if sample[group] and sample[group][key] is not None]
        return f"{statistics.median(seen):,.0f}" if seen else "none"

    told = [sample["broker_up"] for sample in within if sample["broker_up"] is not None]
    up = f"{sum(told) / len(told):.0%} of {len(told)}" if told else "no worker answered"
    times = (middle("pop_ms", "p50"), middle("pop_ms", "p99"), middle("reminder_ms", "p50"))
    return band.what, *times, middle("memory_mb", "history"), up


def _answers(found: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for what, one in (("call → pop", found["pop_ms"]), ("deadline → reminder, committed", found["reminder_ms"])):
        if one is not None:
            yield what, *_cells(one, "p50", "p99", "max", "n")


def _cells(one: Mapping[str, float], *names: str) -> tuple[str, ...]:
    return tuple(f"{one[name]:,.0f}" for name in names)
