"""One customer on a terminal: what a person at the desk would want to see first stands first."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

WORDS = {
    "zh": {
        "customer": "客户", "segment": "特殊客户", "none": "无", "facts": "客户资料", "states": "各系统状态",
        "anomalies": "异常", "reminders": "用户服务提醒", "retention_tasks": "维系任务", "tickets": "工单",
        "timeline": "接触轨迹", "nothing": "没有记录", "because": "依据", "cause": "原因", "wording": "解释口径",
        "guidance": "处理指引", "progress": "解决进度",
        "MID_HIGH": "中高端", "NEW": "新入网", "CAMPUS": "校园", "RURAL": "农村联络人",
    },
    "en": {
        "customer": "Customer", "segment": "Segment", "none": "none", "facts": "Profile", "states": "States",
        "anomalies": "Anomalies", "reminders": "Reminders", "retention_tasks": "Retention tasks",
        "tickets": "Tickets", "timeline": "Timeline", "nothing": "nothing", "because": "because", "cause": "Cause",
        "wording": "What to say", "guidance": "What to do", "progress": "Progress",
        "MID_HIGH": "mid/high", "NEW": "new", "CAMPUS": "campus", "RURAL": "rural contact",
    },
}  # fmt: skip
SEVERITY = {"CRITICAL": "bold red", "MAJOR": "red", "MINOR": "yellow", "WARNING": "cyan"}


def show(found: Mapping[str, Any], language: str, timezone: str) -> None:
    """Print the answer of `streams.customer.customer`."""
    # what customers wrote is text, not markup
    Console(markup=False, emoji=False, highlight=False).print(View(language, ZoneInfo(timezone)).whole(found))


class View:
    """Builds the picture in one language and time zone."""

    def __init__(self, language: str, zone: ZoneInfo) -> None:
        self._words = WORDS[language]
        self._language = language
        self._zone = zone

    def whole(self, found: Mapping[str, Any]) -> RenderableType:
        """Everything, from the head to the timeline."""
        parts: list[RenderableType] = [self._head(found)]
        parts += [self._notice("reminders", r) for r in found["reminders"]]
        parts += [self._notice("anomalies", a) for a in found["anomalies"]]
        parts.append(self._table("states", self._states(found["states"])))
        parts.append(self._table("facts", [(name, _plain(value)) for name, value in found["facts"].items()]))
        parts.append(
            self._table("retention_tasks", [_line(t, "product", "policy", "script") for t in found["retention_tasks"]])
        )
        parts.append(self._table("tickets", [_line(t, "class", "text", "action") for t in found["tickets"]]))
        parts.append(self._table("timeline", [self._entry(e) for e in found["timeline"]]))
        return Group(*parts)

    def _head(self, found: Mapping[str, Any]) -> RenderableType:
        segment = found["segment"]
        text = Text(f"{self._words['customer']} {found['msisdn']}", style="bold")
        text.append(f"   {self._words['segment']}: ")
        text.append(self._words.get(segment, segment) if segment else self._words["none"], style="bold green")
        return Panel(text)

    def _notice(self, name: str, row: Mapping[str, Any]) -> RenderableType:
        lines = [
            f"{self._words[part]}: {self._text(row.get(part))}"
            for part in ("cause", "wording", "guidance", "progress")
            if row.get(part)
        ]
        title = self._text(row.get("title")) or row.get("check") or ""
        style = SEVERITY.get(row.get("severity") or "", "")
        return Panel(
            "\n".join(lines), title=Text(f"{self._words[name]} · {title}"), title_align="left", border_style=style
        )

    def _text(self, text: Any) -> str:
        return (
            str(text.get(self._language) or next(iter(text.values()), ""))
            if isinstance(text, dict)
            else str(text or "")
        )

    def _states(self, states: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, ...]]:
        return [
            (f"{system}.{attribute}", _plain(state["value"]), self._time(state["since"]))
            for system, attributes in states.items()
            for attribute, state in attributes.items()
        ]

    def _entry(self, entry: Mapping[str, Any]) -> tuple[str, ...]:
        return (self._time(entry["time"]), *_line(entry, "channel", "kind", "text", "status", "staff"))

    def _time(self, iso: str) -> str:
        return f"{datetime.fromisoformat(iso).astimezone(self._zone):%Y-%m-%d %H:%M:%S}"

    def _table(self, name: str, rows: Sequence[tuple[str, ...]]) -> RenderableType:
        table = Table(title=self._words[name], title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 1))
        for row in rows or [(self._words["nothing"],)]:
            table.add_row(*row)
        return table


def _line(row: Mapping[str, Any], *names: str) -> tuple[str, ...]:
    return tuple(_plain(row.get(name)) for name in names)


def _plain(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
