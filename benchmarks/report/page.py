"""The page docs/performance.md: a section for each file in benchmarks/results that has one.

A section is a module of this package, registered in `SECTIONS` under the name of its file, with

    TITLE: str                                             # its heading
    def text(found: Mapping[str, Any]) -> str              # its Markdown, with ![…](performance/NAME.svg) for a chart
    def charts(found: Mapping[str, Any]) -> dict[str, str] # NAME.svg to SVG, see charts.py

`found` is what `measure` returned. What it was measured on is told by the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from benchmarks import results
from benchmarks.report import growth, handover, latency, reference, restore
from benchmarks.report import slice as whole_slice
from benchmarks.report.soak import Soak


class Section(Protocol):
    """What a module must have to be one."""

    TITLE: str

    @staticmethod
    def text(found: Mapping[str, Any]) -> str: ...

    @staticmethod
    def charts(found: Mapping[str, Any]) -> dict[str, str]: ...


SECTIONS: dict[str, Section] = {
    "reference": reference,
    "slice": whole_slice,
    "latency": latency,
    "handover": handover,
    "restore": restore,
    "growth": growth,
    "soak": Soak("soak", "A soak at 70 % load"),
    "away": Soak("away", "ClickHouse and the broker away under load"),
}
"""By the name of the part, in the order of the page."""

HEAD = """# Performance

Measured on Apache Kafka by `make bench`; a quick run, where it says so, is no more than a look. What is measured, and
how, is told in [benchmarks/README.md](../benchmarks/README.md). This page is made from
[benchmarks/results](../benchmarks/results) by `python -m benchmarks.report`; a test compares the two.

Figures of one table were measured side by side, in turns. Those of another table, or of another machine, do not
compare with them.
"""


def page(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The Markdown, from the results of each part."""
    return "\n".join([HEAD, *(_section(SECTIONS[name], found[name]) for name in SECTIONS if name in found)])


def pictures(found: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """All charts: file name to SVG."""
    drawn: dict[str, str] = {}
    for name, section in SECTIONS.items():
        drawn |= section.charts(found[name]) if name in found else {}
    return drawn


def kept() -> dict[str, dict[str, Any]]:
    """The results that there are, by part."""
    loaded = {name: results.load(name) for name in SECTIONS}
    return {name: found for name, found in loaded.items() if found is not None}


def _section(section: Section, found: Mapping[str, Any]) -> str:
    parts = (section.text(found), found.get("profile", ""), _measured(found["measured"]))
    return "\n\n".join((f"## {section.TITLE}", *filter(None, parts))) + "\n"


def _measured(on: Mapping[str, Any]) -> str:
    machine, versions = on["machine"], on["versions"]
    return (
        f"{'A quick run' if on['quick'] else 'Run'} of {on['date']} at commit `{on['commit']}`{_time(on)}: "
        f"{machine['cores']} cores of {machine['cpu']}, {machine['memory_gib']} GiB, Linux {machine['kernel']}; "
        f"{', '.join(f'{name} {version}' for name, version in versions.items())}."
        f"{' ' + on['remark'] if 'remark' in on else ''}"
    )


def _time(on: Mapping[str, Any]) -> str:
    return f", {on['seconds'] // 60} min {on['seconds'] % 60} s" if "seconds" in on else ""
