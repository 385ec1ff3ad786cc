"""Charts as SVG: bars and lines, drawn alike on every machine, so that a test can compare them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

WIDTH = 760
FEW = 20
"""Up to so many points of a curve are marked: between them nothing was measured."""
INK, FAINT, PAPER = "#24292f", "#d0d7de", "#ffffff"
OURS, THEIRS = "#0969da", "#8c959f"
COLOURS = ("#0969da", "#cf222e", "#1a7f37", "#8250df", "#9a6700", "#57606a")
FONT = "font-family='system-ui, sans-serif' font-size='13'"


class Bar(NamedTuple):
    """One bar of a chart. `low` and `high` draw the range of the rounds."""

    label: str
    value: float
    text: str
    ours: bool = False
    low: float | None = None
    high: float | None = None


def bars(title: str, found: Sequence[Bar]) -> str:
    """Horizontal bars from zero, in the order given."""
    left, right, top, step = 210, 110, 44, 30
    most = max((bar.high or bar.value for bar in found), default=0) or 1
    scale = (WIDTH - left - right) / most
    drawn = []
    for number, bar in enumerate(found):
        y = top + number * step
        colour = OURS if bar.ours else THEIRS
        drawn.append(_text(left - 10, y + 15, bar.label, anchor="end"))
        drawn.append(f"<rect x='{left}' y='{y}' width='{bar.value * scale:.1f}' height='20' rx='2' fill='{colour}'/>")
        if bar.low is not None and bar.high is not None:
            drawn.append(_line([(left + bar.low * scale, y + 10), (left + bar.high * scale, y + 10)], INK))
        drawn.append(_text(left + max(bar.value, bar.high or 0) * scale + 8, y + 15, bar.text))
    return _svg(title, top + len(found) * step + 10, drawn)


class Axis(NamedTuple):
    """What an axis shows. Lines are drawn from zero unless `log`, then by powers of ten."""

    title: str
    log: bool = False


def lines(title: str, x: Axis, y: Axis, series: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Curves over common axes, with a legend below the title."""
    frame = _Frame(x, y, [point for points in series.values() for point in points])
    drawn = frame.axes()
    legend_x = frame.left
    for (name, points), colour in zip(series.items(), COLOURS * (len(series) // len(COLOURS) + 1), strict=False):
        places = [frame.at(point) for point in points]
        drawn.append(_line(places, colour, 2))
        if len(places) <= FEW:
            drawn += (f"<circle cx='{left:.1f}' cy='{top:.1f}' r='3.5' fill='{colour}'/>" for left, top in places)
        drawn.append(_line([(legend_x, 46), (legend_x + 18, 46)], colour, 3))
        drawn.append(_text(legend_x + 24, 50, name))
        legend_x += 50 + 7 * len(name)
    return _svg(title, frame.height, drawn)


class _Frame:
    """Where a value lies on the picture."""

    left, right, top, bottom, height = 90, 40, 66, 324, 372

    def __init__(self, x: Axis, y: Axis, points: Sequence[tuple[float, float]]) -> None:
        self._titles = x.title, y.title
        self._x, self._y = _Scale(x.log, [p[0] for p in points]), _Scale(y.log, [p[1] for p in points])

    def at(self, point: tuple[float, float]) -> tuple[float, float]:
        across = self.left + self._x.share(point[0]) * (WIDTH - self.left - self.right)
        return across, self.bottom - self._y.share(point[1]) * (self.bottom - self.top)

    def axes(self) -> list[str]:
        """Grid, numbers and titles."""
        drawn = []
        for value in self._y.ticks:
            _, height = self.at((self._x.low, value))
            drawn.append(_line([(self.left, height), (WIDTH - self.right, height)], FAINT))
            drawn.append(_text(self.left - 8, height + 4, number(value), anchor="end"))
        for value in self._x.ticks:
            across, _ = self.at((value, self._y.low))
            drawn.append(_line([(across, self.bottom), (across, self.bottom + 5)], INK))
            drawn.append(_text(across, self.bottom + 20, number(value), anchor="middle"))
        across, down = self._titles
        drawn.append(_text((self.left + WIDTH - self.right) / 2, self.height - 10, across, anchor="middle"))
        middle = (self.top + self.bottom) / 2
        drawn.append(
            f"<text x='16' y='{middle:.1f}' text-anchor='middle' transform='rotate(-90 16 {middle:.1f})' "
            f"fill='{INK}' {FONT}>{escape(down)}</text>"
        )
        return drawn


class _Scale:
    """An axis from zero to a round number above all values, or over whole powers of ten."""

    def __init__(self, log: bool, values: Sequence[float]) -> None:
        self._log = log
        most = max(values, default=0) or 1
        if log:
            least = min(value for value in values if value > 0)
            first, last = math.floor(math.log10(least)), math.ceil(math.log10(most))
            self.ticks = [10.0**power for power in range(first, max(last, first + 1) + 1)]
        else:
            power = 10 ** math.floor(math.log10(most))
            step = next(power * part for part in (0.2, 0.5, 1, 2) if most <= power * part * 6)
            self.ticks = [step * count for count in range(math.ceil(most / step - 1e-9) + 1)]
        self.low, self._high = self.ticks[0], self.ticks[-1]

    def share(self, value: float) -> float:
        """0 at the start of the axis, 1 at its end."""
        if self._log:
            return math.log(max(value, self.low) / self.low) / math.log(self._high / self.low)
        return value / self._high


def number(value: float) -> str:
    """A number for people: 1,200 or 0.25."""
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.3g}"


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' fill='{INK}' {FONT}>{escape(text)}</text>"


def _line(points: Sequence[tuple[float, float]], colour: str, width: int = 1) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='{width}'/>"


def _svg(title: str, height: int, drawn: Sequence[str]) -> str:
    head = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' role='img'>"
    paper = f"<rect width='{WIDTH}' height='{height}' fill='{PAPER}'/>"
    heading = f"<text x='16' y='26' fill='{INK}' {FONT} font-weight='bold'>{escape(title)}</text>"
    return "\n".join([head, f"<title>{escape(title)}</title>", paper, heading, *drawn, "</svg>", ""])
