"""What counts as a trace of a backtest: a record more, a topic more, an offset that moved, a group that came."""

from __future__ import annotations

import pytest

from benchmarks.backtest import Standing, traces

BEFORE = Standing({("a", 0): 7, ("a", 1): 9}, {"workers": {("a", 0): 7}})


@pytest.mark.parametrize(
    ("after", "found"),
    [
        (BEFORE, []),
        (BEFORE._replace(ends={("a", 0): 7, ("a", 1): 10}), ["a/1"]),
        (BEFORE._replace(ends={**BEFORE.ends, ("b", 0): 0}), ["b/0"]),
        (BEFORE._replace(committed={"workers": {("a", 0): 8}}), ["group workers"]),
        (BEFORE._replace(committed={**BEFORE.committed, "new": {}}), ["group new"]),
    ],
)
def test_a_trace_is_told_by_name(after: Standing, found: list[str]) -> None:
    assert traces(BEFORE, after) == found
