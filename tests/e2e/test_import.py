"""A call centre's log through Kafka and the workers into the history: the report is what its CSV says.

The real log where it lies beside the checkout, else the small sample with the same oddities.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.settings import Settings
from tests.conftest import ROOT, absent
from tests.e2e.kit import Live, started
from tests.importing.reference import call_report, rows_of

REAL = ROOT.parent / "shared" / "data" / "calls-1-15-august.csv.gz"
LOG = REAL if REAL.is_file() else Path(__file__).parents[1] / "importing" / "data" / "calls.csv"
CALL = "yupan.call.v1"
AUGUST = ("--from", "2010-08-01", "--to", "2010-09-01")


@pytest.fixture(scope="module")
def embedded() -> Iterator[Live]:
    """The parts that need nothing but Python: Tansu and chDB."""
    live = started(Live(Settings().with_(partitions=4), "tansu", "chdb", workers=1), absent)
    try:
        yield live
    finally:
        live.__exit__()


@pytest.fixture(params=["stack", "embedded"], ids=["kafka-server", "tansu-chdb"])
def there(request: pytest.FixtureRequest) -> Live:
    """A whole Yupan on each pair of parts."""
    live: Live = request.getfixturevalue(request.param)
    return live


def accounted_for(there: Live) -> None:
    """Import, and find every row of the log in the history."""
    refused = there.metric("decide", "yupan_dead_letters_total", topic=CALL)
    answer, rows = there.yupan("import", "call-log", str(LOG), "--json", seconds=500), rows_of(LOG)
    assert answer.code == 0, answer.err
    assert (answer.lines()[0]["rows"], answer.lines()[0]["rejected"]) == (len(rows), 0)
    for by in ("priority", "hour"):
        report = there.yupan("report", "calls", "--by", by, *AUGUST, "--json")
        assert report.lines() == [call_report(LOG, by)], report.err
    (count,) = there.clickhouse.query("SELECT uniqExact(call_id) AS n FROM calls WHERE occurred_at < 1300000000000")
    assert count["n"] == len(rows)
    assert there.metric("decide", "yupan_dead_letters_total", topic=CALL) == refused


@pytest.mark.timeout(600)
def test_a_call_log_gives_the_report_of_its_csv(there: Live) -> None:
    accounted_for(there)


@pytest.mark.timeout(600)
def test_the_same_log_again_adds_nothing(stack: Live) -> None:
    """Runs after the first import of this log in the same stack, or makes it."""
    if not there_already(stack):
        accounted_for(stack)
    accounted_for(stack)


def there_already(stack: Live) -> bool:
    """Whether the log was imported by an earlier test."""
    (count,) = stack.clickhouse.query("SELECT count() AS n FROM calls WHERE occurred_at < 1300000000000")
    return bool(count["n"])


def test_a_list_makes_the_segment_of_those_on_it(there: Live, tmp_path: Path) -> None:
    file = tmp_path / "campus.csv"
    file.write_text("msisdn,name\n13711110001,A\n13711110002,B\n")
    first = there.yupan("import", "list", str(file), "--list", "campus", "--version", "1", "--replace", "--json")
    assert first.code == 0, first.err
    assert first.lines()[0]["events"] == 3
    assert there.customer("8613711110001")["segment"] == "CAMPUS"
    file.write_text("msisdn,name\n13711110002,B\n")
    assert there.yupan("import", "list", str(file), "--list", "campus", "--version", "2", "--replace").code == 0
    assert there.customer("8613711110001")["segment"] is None
    assert there.customer("8613711110002")["segment"] == "CAMPUS"
