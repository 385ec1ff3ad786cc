"""The samples of a soak as one SVG: panels over a common time axis, with what was away shaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

WIDTH, HEIGHT, LEFT, TOP, GAP = 760, 120, 64, 30, 44
COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd")
Sample = Mapping[str, Any]
Points = list[tuple[float, float]]


class Line(NamedTuple):
    """One line: its name, and what it shows of a sample; None: nothing there."""

    name: str
    value: Callable[[Sample], float | None]


class Panel(NamedTuple):
    """Lines with a common axis from 0."""

    title: str
    lines: Sequence[Line]


class Band(NamedTuple):
    """Something was away, from and to (seconds)."""

    what: str
    since: float
    until: float


def memory(of: str) -> Line:
    return Line(of, lambda sample: sample["memory_mb"][of])


def pick(name: str, group: str, key: str) -> Line:
    return Line(name, lambda sample: None if sample[group] is None else sample[group][key])


PANELS = (
    Panel("resident memory, MB", [memory(of) for of in ("decide", "history", "broker", "clickhouse")]),
    Panel("records not yet decided / stored", [pick(role, "lag", role) for role in ("decide", "history")]),
    Panel("events a second", [pick(role, "events_per_s", role) for role in ("decide", "history")]),
    Panel("armed deadlines", [Line("decide", lambda sample: sample.get("armed"))]),
    Panel("call to pop, ms", [pick(at, "pop_ms", at) for at in ("p50", "p99")]),
    Panel("deadline to reminder, ms", [pick(at, "reminder_ms", at) for at in ("p50", "p99")]),
)


def svg(samples: Sequence[Sample], bands: Sequence[Band]) -> str:
    """The chart."""
    end = max((sample["s"] for sample in samples), default=1.0)
    shown = [panel for panel in PANELS if any(line.value(s) is not None for line in panel.lines for s in samples)]
    panels = [_panel(panel, samples, bands, end, TOP + n * (HEIGHT + GAP)) for n, panel in enumerate(shown)]
    height = TOP + len(shown) * (HEIGHT + GAP)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 20} {height}" '
        'font-family="sans-serif" font-size="11">'
    )
    paper = f'<rect width="{LEFT + WIDTH + 20}" height="{height}" fill="white"/>'
    return "\n".join([head, paper, *panels, "</svg>\n"])


def _panel(panel: Panel, samples: Sequence[Sample], bands: Iterable[Band], end: float, top: float) -> str:
    lines = [(line.name, [(s["s"], v) for s in samples if (v := line.value(s)) is not None]) for line in panel.lines]
    most = max((value for _, points in lines for _, value in points), default=0) or 1.0
    parts = [f'<text x="{LEFT}" y="{top - 8}" font-weight="bold">{escape(panel.title)}</text>']
    for band in bands:
        x, width = LEFT + band.since / end * WIDTH, (band.until - band.since) / end * WIDTH
        parts.append(f'<rect x="{x:.1f}" y="{top}" width="{width:.1f}" height="{HEIGHT}" fill="#f2d9b3"/>')
        parts.append(f'<text x="{x + 3:.1f}" y="{top + 12}" fill="#8a5a00">{escape(band.what)}</text>')
    parts.append(f'<rect x="{LEFT}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#999"/>')
    parts.append(f'<text x="{LEFT - 6}" y="{top + 10}" text-anchor="end">{most:,.0f}</text>')
    parts.append(f'<text x="{LEFT - 6}" y="{top + HEIGHT}" text-anchor="end">0</text>')
    parts += _minutes(end, top + HEIGHT + 14)
    for number, (name, points) in enumerate(lines):
        colour, x = COLOURS[number], LEFT + WIDTH - 90 * (len(lines) - number) + 10
        parts.append(f'<text x="{x}" y="{top - 8}" fill="{colour}">{escape(name)}</text>')
        drawn = " ".join(f"{LEFT + s / end * WIDTH:.1f},{top + HEIGHT * (1 - v / most):.1f}" for s, v in points)
        parts.append(f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="1.3"/>')
    return "\n".join(parts)


def _minutes(end: float, y: float) -> list[str]:
    step = next(minutes for minutes in (0.5, 1, 2, 5, 10, 30, 60) if end / 60 / minutes <= 12 or minutes == 60)
    ticks = [n * step for n in range(int(end / 60 / step) + 1)]
    places = [(LEFT + tick * 60 / end * WIDTH, tick) for tick in ticks]
    return [f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" fill="#555">{tick:g} min</text>' for x, tick in places]
