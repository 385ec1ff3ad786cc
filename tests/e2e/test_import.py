"""A call centre's log through Kafka and the workers into the history: the report is what its CSV says.

The real files where they lie beside the checkout, else small samples with the same oddities.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from streams.settings import Settings
from tests.conftest import ROOT, absent
from tests.e2e.kit import Live, started
from tests.importing.reference import call_report, rows_of

REAL = ROOT.parent / "shared" / "data" / "calls-1-15-august.csv.gz"
LOG = REAL if REAL.is_file() else Path(__file__).parents[1] / "importing" / "data" / "calls.csv"
TELCO = REAL.with_name("telco-customers-a.csv.gz")
CUSTOMERS = TELCO if TELCO.is_file() else Path(__file__).parents[1] / "importing" / "data" / "churn.csv"
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


# --- the customers of another operator


def stand_in(identifier: str) -> str:
    """The number under which an identifier that is none is kept (docs/import.md)."""
    return f"999{int.from_bytes(hashlib.sha256(identifier.encode()).digest()[:8], 'big') % 10**12:012d}"


def customers() -> dict[str, dict[str, str]]:
    """The rows of the file as they stand there, by stand-in."""
    text = gzip.decompress(CUSTOMERS.read_bytes()) if CUSTOMERS.suffix == ".gz" else CUSTOMERS.read_bytes()
    return {stand_in(row["customerID"]): row for row in csv.DictReader(text.decode().splitlines())}


def months_since(then_ms: int, now: datetime) -> int:
    then = datetime.fromtimestamp(then_ms / 1000, now.tzinfo)
    return (now.year - then.year) * 12 + now.month - then.month


@pytest.mark.timeout(300)
def test_the_customers_of_a_file_become_facts_in_the_history(there: Live) -> None:
    rows, at = customers(), datetime(2026, 11, 22, 12, tzinfo=ZoneInfo("Asia/Shanghai"))
    answer = there.yupan("import", "telco-customers", str(CUSTOMERS), "--at", at.isoformat(), "--json", seconds=200)
    assert answer.code == 0, answer.err
    told = answer.lines()[0]
    assert (told["rows"], told["events"], told["rejected"]) == (len(rows), len(rows), 0)
    stored: dict[str, dict[str, Any]] = {}
    sql = "SELECT msisdn, fact, value FROM facts FINAL WHERE ce_source = 'telco-customers'"
    for found in there.clickhouse.query(sql):
        stored.setdefault(found["msisdn"], {})[found["fact"]] = json.loads(found["value"])
    assert stored.keys() == rows.keys()
    for number, row in rows.items():
        facts = stored[number]
        assert (facts["tariff"], facts["monthly_fee"]) == (row["Contract"], float(row["MonthlyCharges"]))
        assert facts.get("total_charges") == (float(row["TotalCharges"]) if row["TotalCharges"].strip() else None)
        assert facts.get("left_at") == (at.timestamp() * 1000 if row["Churn"] == "Yes" else None)
        assert months_since(facts["opened_at"], at) == int(row["tenure"])
    number, row = next((n, row) for n, row in rows.items() if row["Churn"] == "No" and int(row["tenure"]) > 0)
    shown = json.loads(there.yupan("customer", number, "--json").out)
    assert shown["facts"]["monthly_fee"] == float(row["MonthlyCharges"])
