"""When things are taken away in a soak, what is missing at its end, and its chart."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.common.rates import steady_rate
from benchmarks.soak.chart import Band, svg
from benchmarks.soak.probes import Waited
from benchmarks.soak.run import Plan
from benchmarks.soak.samples import flatness, quantiles
from benchmarks.soak.stored import missing

STATE, REMINDER = "yupan.state.v1", "yupan.reminder.v1"


def sample(second: float, memory: float | None, pops: dict[str, float] | None) -> dict[str, Any]:
    return {
        "s": second,
        "memory_mb": {"decide": memory, "history": 90.0, "broker": 800.0, "clickhouse": 300.0},
        "lag": {"decide": 0.0, "history": 10.0},
        "events_per_s": {"decide": 100, "history": 110},
        "armed": 7.0,
        "pop_ms": pops,
        "reminder_ms": None,
    }


def test_parts_go_away_one_after_the_other() -> None:
    clickhouse, broker = Plan(seconds=1_800, clickhouse_away=600, broker_away=60).away()
    assert (clickhouse.since, clickhouse.until) == (450, 1_050)
    assert clickhouse.until < broker.since < broker.until == broker.since + 60 < 1_800


def test_what_is_not_stored_is_missing_by_topic() -> None:
    assert missing({STATE: 3, REMINDER: 2}, {STATE: 3, REMINDER: 2}) == {}
    assert missing({STATE: 3}, {STATE: 2}) == {STATE: 1}
    assert missing({STATE: 3}, {STATE: 4}) == {STATE: -1}
    assert missing({REMINDER: 1}, {REMINDER: 2}) == {}  # compacted away in Kafka


def test_memory_is_compared_after_the_start_and_at_the_end() -> None:
    samples = [sample(n, value, None) for n, value in enumerate([50.0, 100.0, 101.0, None, 180.0, 110.0])]
    assert flatness(samples, "decide") == {"early_mb": 100.0, "late_mb": 110.0, "most_mb": 180.0}


def test_quantiles_of_nothing_are_none() -> None:
    assert quantiles([]) is None
    assert quantiles([Waited(0, ms) for ms in range(1, 101)]) == {"p50": 51, "p99": 100, "max": 100, "n": 100}


def test_a_rate_leaves_start_and_end_out() -> None:
    counted = [(0.0, 0.0), (10.0, 10.0), (11.0, 20.0), (12.0, 50.0), (14.0, 90.0), (90.0, 100.0)]
    assert steady_rate(counted, 100) == round(70 / 3)
    with pytest.raises(RuntimeError, match="too few"):
        steady_rate(counted[:2], 100)


def test_the_chart_has_a_line_for_each_process_and_shades_what_was_away() -> None:
    pops = {"p50": 3.0, "p99": 9.0}
    samples = [sample(0, 50.0, pops), sample(5, None, None), sample(10, 60.0, pops)]
    chart = ElementTree.fromstring(svg(samples, [Band("broker", 5, 8)]))
    space = "{http://www.w3.org/2000/svg}"
    lines = chart.findall(f"{space}polyline")
    assert len(lines) == 4 + 2 + 2 + 1 + 2  # no reminder was awaited: no panel
    assert [len(line.attrib["points"].split()) for line in lines][:4] == [2, 3, 3, 3]
    assert [text.text for text in chart.findall(f"{space}text")].count("broker") == 5 + 1
