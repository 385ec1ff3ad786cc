"""Watch lists are data, too: one YAML file each, beside the checks, read as strictly (#54).

What a list finds by itself is in its kind's file, `agents/watches/KIND.py`. A list that has no file is only imported;
its reminders have no more to say than its entries do.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents import watches
from agents.case_files import Case, read_cases, reminder
from agents.shadow import MODES, ON
from agents.watch import WatchRule
from agents.yaml_reader import Item, Section
from schemas.events.list import is_watch_list

HEAD = ("id", "title", "kind")
TEXTS = ("cause", "wording", "guidance")
SEVERITIES = ("CRITICAL", "MAJOR", "MINOR", "WARNING")

Text = dict[str, str]


@dataclass(frozen=True)
class WatchList:
    """One watch list as its file says it."""

    id: str
    """The name of the list, `watch:NAME`."""
    title: Text
    kind: str
    severity: str
    rule: WatchRule
    cause: Text
    wording: Text
    guidance: Text
    cases: Sequence[Case]
    file: Path
    mode: str = ON
    """on, shadow or off."""


def read_watch(section: Section, item: Item) -> WatchList:
    """The watch list in a file, whose `id` is `item`. Raises `FileError`."""
    name = item.text()
    if not is_watch_list(name):
        raise item.fail(f"{name!r} is not watch:NAME in small letters, digits, '-', '_' and '.'")
    kind = section.take("kind").one_of(*watch_kind_names())
    section.only(*HEAD, "severity", *watch_kind_module(kind).SCHEMA, *TEXTS, "cases", "mode")
    title = section.take("title").texts()
    severity = section.take("severity").one_of(*SEVERITIES)
    rule: WatchRule = watch_kind_module(kind).read(section)
    texts = {name: section.take(name).filled(rule.placeholders) for name in TEXTS}
    cases, mode = read_cases(section, reminder), read_mode(section)
    return WatchList(name, title, kind, severity, rule, cases=cases, file=section.here.file, mode=mode, **texts)


def read_mode(section: Section) -> str:
    """The key `mode` of a check or a watch list. Raises `FileError`."""
    item = section.get("mode")
    return ON if item is None else item.mode(*MODES)


def watch_kind_names() -> list[str]:
    """The kinds that there are: the modules of `agents/watches/`."""
    return sorted(module.name for module in pkgutil.iter_modules(watches.__path__))


def watch_kind_module(kind: str) -> Any:
    """The module of a kind: its `read`, and its `SCHEMA` and `REQUIRED` keys."""
    return importlib.import_module(f"agents.watches.{kind}")
