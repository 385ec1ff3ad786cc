"""The progress of a demo in the terminal: a live view, or plain lines where no terminal is."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol, TextIO
from zoneinfo import ZoneInfo

from rich.console import Console, Group, RenderableType
from rich.layout import Layout
from rich.live import Live
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from schemas.masking import mask
from streams.demo.tally import Tally
from streams.demo.words import Words
from streams.simulate.day import Day, busyness

_SHOWN = ("state", "call", "contact", "usage", "customer")
_OUT = ("anomaly", "reminder", "screen-pop", "dead-letter")
_BARS = " ▁▂▃▄▅▆▇█"
_WINDOW = 3.0
_MARKS = {
    "OPEN": ("●", "bold red"),
    "ACKNOWLEDGED": ("◐", "bold yellow"),
    "RESOLVED": ("✓", "bold green"),
    "WITHDRAWN": ("○", "dim"),
}
_SEGMENT_STYLES = {"MID_HIGH": "black on yellow", "NEW": "black on cyan", "CAMPUS": "black on green"}
_DRAW_EVERY_MS = 500
_PLAIN_EVERY_MS = 5000


class Progress(Protocol):
    """Whatever shows how a demo goes: a context manager that is told the time (wall-clock ms) now and then."""

    def __enter__(self) -> Progress: ...

    def __exit__(self, *exc: object) -> None: ...

    def update(self, now: int) -> None:
        """Show how it stands at `now`."""


def open_view(
    tally: Tally,
    *,
    day: Day,
    deadlines: Mapping[str, int],
    language: str,
    timezone: str,
    seconds: float | None,
    file: TextIO,
) -> Progress:
    """A live view when `file` is a terminal, else lines. `deadlines`: the shortened ones, check to ms."""
    console = Console(file=file)
    if not console.is_terminal:
        return Lines(tally, language, file)
    return View(tally, console, day=day, deadlines=deadlines, language=language, timezone=timezone, seconds=seconds)


class Lines:
    """One line every few seconds."""

    def __init__(self, tally: Tally, language: str, file: TextIO) -> None:
        self._tally = tally
        self._words = Words(language)
        self._file = file
        self._next = 0

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    def update(self, now: int) -> None:
        """Write a line when it is time for one."""
        if now >= self._next:
            self._next = now + _PLAIN_EVERY_MS
            self._file.write(self.line(now) + "\n")
            self._file.flush()

    def line(self, now: int) -> str:
        """How it stands, in one line."""
        tally = self._tally
        injected, found = tally.drifts(now)
        p50, p99 = tally.latency(0.5), tally.latency(0.99)
        return self._words("progress").format(
            elapsed=clock((now - tally.started_at) // 1000),
            events=tally.events_in,
            injected=injected,
            found=found,
            pops=tally.pop_count(),
            p50="-" if p50 is None else p50,
            p99="-" if p99 is None else p99,
            dead=tally.events["yupan.dead-letter.v1"],
        )


class View:
    """The live view: flow, findings, latest anomalies, screen pops. Made for 100 by 30 characters and more."""

    def __init__(
        self,
        tally: Tally,
        console: Console,
        *,
        day: Day,
        deadlines: Mapping[str, int],
        language: str,
        timezone: str,
        seconds: float | None,
    ) -> None:
        self._tally = tally
        self._console = console
        self._day = day
        self._deadlines = deadlines
        self._words = Words(language)
        self._zone = ZoneInfo(timezone)
        self._seconds = seconds
        self._counts: deque[tuple[float, dict[str, int]]] = deque()
        self._next = 0
        self._live = Live(console=console, screen=True, auto_refresh=False)

    def __enter__(self) -> View:
        self._live.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._live.__exit__(None, None, None)

    def update(self, now: int) -> None:
        """Draw it anew, twice a second at most: drawing takes time from whoever waits for a pop."""
        if now >= self._next:
            self._next = now + _DRAW_EVERY_MS
            self._live.update(self.draw(now), refresh=True)

    def draw(self, now: int) -> RenderableType:
        """The whole view as of `now` (ms)."""
        with self._tally.lock:
            self._remember(now)
            layout = Layout()
            layout.split_column(
                Layout(self._head(now), size=2),
                Layout(name="numbers", size=12),
                Layout(name="news"),
            )
            layout["numbers"].split_row(Layout(self._flow()), Layout(self._findings(now)))
            layout["news"].split_row(Layout(self._anomalies()), Layout(self._desk()))
            return layout

    # -- the head ---------------------------------------------------------------------------------------------------

    def _head(self, now: int) -> RenderableType:
        words, hour = self._words, self._day.hour(now)
        elapsed = clock((now - self._tally.started_at) // 1000)
        if self._seconds is not None:
            elapsed += f" / {clock(int(self._seconds))}"
        grid = Table.grid(expand=True)
        grid.add_column()
        grid.add_column(justify="right")
        short = "  ".join(f"{check} {span / 1000:g} s" for check, span in sorted(self._deadlines.items()))
        grid.add_row(
            Text.assemble((f" {words('title')} ", "bold white on blue"), f"  {words('subtitle')}"),
            Text(f"{words('day')} {int(hour):02d}:{int(hour % 1 * 60):02d}   {words('elapsed')} {elapsed}"),
        )
        note = f" {words('deadlines')}: {short}" if short else ""
        grid.add_row(Text(note, "dim", no_wrap=True, overflow="ellipsis"), Text(words("stop"), "dim"))
        return grid

    # -- numbers ----------------------------------------------------------------------------------------------------

    def _totals(self) -> dict[str, int]:
        events = self._tally.events
        totals = {name: events[f"yupan.{name}.v1"] for name in (*_SHOWN, *_OUT)}
        totals["rest"] = self._tally.events_in - sum(totals[name] for name in _SHOWN)
        return totals

    def _remember(self, now: int) -> None:
        self._counts.append((now / 1000, self._totals()))
        while len(self._counts) > 2 and self._counts[1][0] < now / 1000 - _WINDOW:
            self._counts.popleft()

    def _rate(self, name: str) -> float:
        (before, first), (after, last) = self._counts[0], self._counts[-1]
        return (last[name] - first[name]) / (after - before) if after > before else 0.0

    def _flow(self) -> RenderableType:
        table = Table.grid(expand=True, padding=(0, 1))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, ratio=1, overflow="crop")
        table.add_column(justify="right", no_wrap=True)
        table.add_column(justify="right", no_wrap=True, style="dim", min_width=7)
        totals = self._totals()
        most = max(1.0, *(self._rate(name) for name in totals))
        for name, total in ((n, totals[n]) for n in (*_SHOWN, "rest", *_OUT)):
            rate = self._rate(name)
            style = "cyan" if name not in _OUT else "red" if name == "dead-letter" and total else "yellow"
            mark = "▸" if name in _OUT else "·"
            bar = Text(_bar(rate / most, 8), style)
            table.add_row(Text(f"{mark} {self._words(name)}", style), bar, f"{total:,}", f"{rate:.1f}/s")
        return Panel(table, title=self._words("flow"), border_style="blue")

    def _findings(self, now: int) -> RenderableType:
        words, tally = self._words, self._tally
        injected, found = tally.drifts(now)
        resolved = tally.resolved()
        share = tally.found_before_call_share()
        p50, p99 = tally.latency(0.5), tally.latency(0.99)
        table = Table.grid(expand=True, padding=(0, 1))
        table.add_column(no_wrap=True, style="dim")
        table.add_column(no_wrap=True, justify="right")
        all_found = "bold green" if found == injected else "bold yellow"
        table.add_row(words("injected"), f"{injected:,}")
        table.add_row(words("of"), Text(f"{found:,}", all_found))
        table.add_row(words("open"), f"{len(tally.statuses) - resolved:,}")
        table.add_row(words("resolved"), f"{resolved:,}")
        table.add_row(words("before"), Text("—" if share is None else f"{share:.0%}", "bold green"))
        table.add_row(words("calls"), f"{tally.calls:,}")
        table.add_row(words("pops"), "—" if p50 is None else f"p50 {p50} ms · p99 {p99} ms")
        table.add_row(words("stored"), f"{tally.contacts_stored:,}")
        return Panel(Group(table, Text(), self._load(now)), title=words("found"), border_style="blue")

    def _load(self, now: int) -> RenderableType:
        """The shape of the day, with the hour that it is."""
        current = int(self._day.hour(now))
        top = max(busyness(hour) for hour in range(24))
        text = Text(f" {self._words('load')} ", "dim", no_wrap=True)
        for hour in range(24):
            mark = _BARS[max(1, round(busyness(hour) / top * 8))]
            text.append(mark, "bold yellow" if hour == current else "blue")
        return text

    # -- news -------------------------------------------------------------------------------------------------------

    def _anomalies(self) -> RenderableType:
        table = Table.grid(expand=True, padding=(0, 1))
        for column in ({"style": "dim"}, {}, {}, {"ratio": 1, "overflow": "ellipsis"}):
            table.add_column(no_wrap=True, **column)
        for record in list(self._tally.anomalies)[:24]:
            status = record["status"]
            table.add_row(
                self._time(record["occurred_at"]),
                mask(record["msisdn"]) if record["msisdn"] else record["cell"] or record["region"],
                Text(*_MARKS.get(status, ("·", ""))),
                Text(self._evidence(record), "" if status == "OPEN" else "dim"),
            )
        body = table if self._tally.anomalies else Text(self._words("waiting"), "dim")
        return Panel(body, title=self._words("anomalies"), border_style="red")

    def _evidence(self, anomaly: Mapping[str, Any]) -> str:
        """`crm.status` and `hlr.status` as `CRM active ≠ HLR barred`; without evidence the check."""
        parts = [f"{name.partition('.')[0].upper()} {self._words(said)}" for name, said in anomaly["evidence"].items()]
        return (" ≠ " if anomaly["status"] == "OPEN" else " · ").join(parts) or str(anomaly["check"])

    def _desk(self) -> RenderableType:
        """The latest pop, and before it the latest that has more to say."""
        pops = list(self._tally.pops)
        if not pops:
            return Panel(Text(self._words("waiting"), "dim"), title=self._words("desk"), border_style="green")
        rest = sorted(pops[1:], key=lambda p: (not p[0]["reminders"], not p[0]["greeting"], not p[0]["contacts"]))
        cards = self._card(*pops[0])
        for shown in rest[:2]:
            cards += [Rule(style="green dim"), *self._card(*shown)]
        return Panel(Group(*cards), title=self._words("desk"), border_style="green")

    def _card(self, pop: Mapping[str, Any], latency: int | None) -> list[RenderableType]:
        """What the seat sees, in a few lines."""
        words = self._words
        lines: list[RenderableType] = [self._caller(pop, latency)]
        if pop["greeting"]:
            lines.append(_line(f" 「{words.text(pop['greeting'])}」", "italic yellow"))
        for reminder in pop["reminders"][:1]:
            lines.append(_line(f" ⚠ {words.text(reminder['title'])}", "bold red"))
            why = reminder["cause"] or reminder["guidance"] or {}
            lines.append(Padding(Text(words.text(why), "red"), (0, 0, 0, 3)))
        for task in pop["retention_tasks"][:1]:
            lines.append(_line(f" ★ {task['product']}  {task['policy'] or ''}", "magenta"))
        for contact in pop["contacts"][:2]:
            said = contact["text"] or f"{contact['subject'] or ''} {contact['status'] or ''}"
            lines.append(_line(f" {words(contact['channel'])} {self._time(contact['occurred_at'])} {said}", "dim"))
        return lines

    def _caller(self, pop: Mapping[str, Any], latency: int | None) -> Text:
        words, line = self._words, _line("")
        line.append(f"{pop['seat'] or ''} ", "bold")
        line.append(mask(pop["msisdn"]) if pop["msisdn"] else words("nobody"))
        if pop["segment"]:
            line.append(" ")
            line.append(f" {words(pop['segment'])} ", _SEGMENT_STYLES.get(pop["segment"], "black on magenta"))
        line.append(f" {words(pop['brand'] or '')}", "cyan")
        if latency is not None:
            line.append(f" {latency} ms", "dim")
        return line

    def _time(self, at: int) -> str:
        return f"{datetime.fromtimestamp(at / 1000, self._zone):%H:%M:%S}"


def _line(text: str, style: str = "") -> Text:
    return Text(text, style, no_wrap=True, overflow="ellipsis")


def clock(seconds: int) -> str:
    """A time span as `mm:ss`, or `h:mm:ss`."""
    hours, rest = divmod(max(0, int(seconds)), 3600)
    minutes = f"{rest // 60:02d}:{rest % 60:02d}"
    return f"{hours}:{minutes}" if hours else minutes


def _bar(share: float, width: int) -> str:
    eighths = round(min(1.0, share) * width * 8)
    whole, part = divmod(eighths, 8)
    return "█" * whole + ("▏▎▍▌▋▊▉"[part - 1] if part else "")
