"""The section on latency: from a call's event to its pop, beside a bare hop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.report.charts import Bar, bars
from benchmarks.report.markdown import table

TITLE = "Latency"

TEXT = """\
From sending a call's event to having its pop, both measured by the one who sends; beside a bare hop: the same event,
sent and read by the same clients, through a topic that nobody works on. Hops were measured alone, in blocks without
calls, and beside: in the blocks with calls, one hop and one call in turn, since the worker's commits keep the broker
busy, too. Times are milliseconds; goals compare with the hop alone, in brackets with the hop beside.

![From a call's event to its pop](performance/latency.svg)

{times}

"bulk" is what the worker decided besides, events/s, while calls came and while none came. The backlog had
{backlog:,} events. From a state that settles an anomaly to its end as a reader of committed records sees it, with the
default commit interval: anomaly {anomaly}, reminder {reminder} (p50 and p99).

{goals}"""
KINDS = ("hop", "hop_beside", "pop")
_TIMES = (f"{kind.replace('_', ' ')} {share}" for kind in KINDS for share in ("p50", "p99"))
HEAD = ("worker", "calls/s", *_TIMES, "bulk", "bulk without calls")


def text(found: Mapping[str, Any]) -> str:
    """The times and the goals."""
    own = found["latency_ms"]
    rows = [_row(name, case) for name, case in _cases(own).items()]
    return TEXT.format(
        times=table(HEAD, rows),
        backlog=own["backlog"]["events"],
        anomaly=_pair(own["anomaly"]),
        reminder=_pair(own["reminder"]),
        goals=table(("goal", "wanted", "found", "met"), [*_idle(own), *_loaded(own), *_committed(own)]),
    )


def charts(found: Mapping[str, Any]) -> dict[str, str]:
    """Bars of the 99th percentiles."""
    drawn = []
    for name, case in _cases(found["latency_ms"]).items():
        label = f"{name.partition(' (')[0]}, {case['calls_per_s']}/s"
        drawn.append(Bar(f"hop: {label}", case["hop"]["p99"], f"{case['hop']['p99']:.1f}"))
        drawn.append(Bar(f"pop: {label}", case["pop"]["p99"], f"{case['pop']['p99']:.1f}", ours=True))
    return {"latency.svg": bars("99th percentile, ms", drawn)}


def _cases(own: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    idle = {f"idle ({rate})": case for rate, case in own["by_rate"].items()}
    half = {f"half load ({rate})": case for rate, case in own["half_load_by_rate"].items()}
    return {**idle, **half, "backlog": own["backlog"]}


def _row(name: str, case: Mapping[str, Any]) -> tuple[str, ...]:
    times = [f"{case[what][share]:.2f}" for what in KINDS for share in ("p50", "p99")]
    bulk = [f"{case[key]:,}" for key in ("events_per_s", "events_per_s_without_calls")]
    return name.partition(" (")[0], str(case["calls_per_s"]), *times, *bulk


def _pair(case: Mapping[str, float]) -> str:
    return f"{case['p50']:.0f} and {case['p99']:.0f}"


def _idle(own: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [_ratio("idle", own, "p50", 3.0), _ratio("idle", own, "p99", 2.0)]


def _loaded(own: Mapping[str, Any]) -> list[tuple[str, ...]]:
    rows = []
    for name, key in (("half load", "half_load"), ("backlog", "backlog")):
        alone, beside = (own[key]["pop"]["p99"] - own[key][hop]["p99"] for hop in KINDS[:2])
        found = f"{alone:.1f} ms ({beside:.1f})"
        rows.append(_ratio(name, own[key], "p50", 5.0))
        rows.append((f"{name}: p99 of the pop − the hop's", "≤ 25 ms", found, _met(alone, 25)))
    return rows


def _committed(own: Mapping[str, Any]) -> list[tuple[str, ...]]:
    names = ("anomaly", "reminder")
    return [(f"{n}: p50", "≤ 60 ms", f"{own[n]['p50']:.0f} ms", _met(own[n]["p50"], 60)) for n in names]


def _ratio(name: str, case: Mapping[str, Any], share: str, wanted: float) -> tuple[str, ...]:
    alone, beside = (case["pop"][share] / case[hop][share] for hop in KINDS[:2])
    found = f"{alone:.1f} ({beside:.1f})"
    return f"{name}: {share} of the pop ÷ the hop's", f"≤ {wanted:g}", found, _met(alone, wanted)


def _met(found: float, most: float) -> str:
    return "yes" if found <= most else "**no**"
