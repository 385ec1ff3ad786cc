"""A call log in a real ClickHouse, through the history's own rows: `yupan report` prints what the CSV says."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agents.event import Event
from sinks.clickhouse import open_clickhouse
from sinks.history import HistoryWriter
from sinks.migrate import migrate
from streams import cli
from tests.importing import reference
from tests.importing.test_call_log import SAMPLE, events_of

Report = Callable[..., str]


def store(dsn: str, log: Path) -> None:
    with closing(open_clickhouse(dsn)) as db:
        migrate(db)
        writer = HistoryWriter(db)
        for _twice in range(2):
            for n, made in enumerate(events_of(log)):
                topic, record = made.event.topic, made.record
                at = record["occurred_at"]
                writer.add(
                    Event(topic, record, made.id, "call-log", at, made.event.key(record), 0, n, 1_800_000_000_000)
                )
            assert not writer.flush()


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Report:
    def run(*args: str, code: int = 0) -> str:
        capsys.readouterr()
        assert cli.run(["report", *args]) == code
        out, err = capsys.readouterr()
        return err if code else out

    return run


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("chdb", reason="chDB is not installed (extra 'embedded')")
    dsn = f"chdb://{tmp_path / 'history'}"
    store(dsn, SAMPLE)
    monkeypatch.setenv("YUPAN_CLICKHOUSE", dsn)


@pytest.mark.usefixtures("stored")
def test_the_report_of_the_sample(report: Report) -> None:
    for by in ("priority", "hour", "segment", "brand"):
        text = report("calls", "--by", by, "--json")
        assert text.count("\n") == 1
        assert json.loads(text) == reference.call_report(SAMPLE, by)
    wanted: list[dict[str, Any]] = reference.call_report(SAMPLE, "priority")
    rows = list(csv.DictReader(io.StringIO(report("calls", "--csv"))))
    assert rows == [{name: str(value) for name, value in row.items()} for row in wanted]
    table = report("calls")
    assert all(str(row["calls"]) in table for row in wanted)


@pytest.mark.usefixtures("stored")
def test_times_without_offset_are_local(report: Report) -> None:
    def calls(*bounds: str) -> int:
        return sum(row["calls"] for row in json.loads(report("calls", "--json", *bounds)))

    assert calls("--to", "2010-08-01 09:05:00") == 1
    assert calls("--to", "2010-08-01T01:05:01Z") == 2
    assert calls("--from", "2010-08-02", "--to", "2010-08-03") == 3
    assert calls("--from", "2010-08-04") == 0


def test_wrong_use_is_told(report: Report) -> None:
    assert "there is no report 'call'; known are calls" in report("call", code=2)
    assert "--json and --csv: take one of them" in report("calls", "--csv", "--json", code=2)
    assert "--from: '1 August' is no time like" in report("calls", "--from", "1 August", code=2)
    assert "--to is not after --from" in report("calls", "--from", "2010-08-02", "--to", "2010-08-02", code=2)


def test_the_report_of_the_real_log(
    report: Report, shared_data: Path, clickhouse_server: Any, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = shared_data / "calls-1-15-august.csv.gz"
    dsn = clickhouse_server.database(f"{prefix}report")
    with closing(open_clickhouse(dsn)) as db:
        db.create_database()
    store(dsn, log)
    monkeypatch.setenv("YUPAN_CLICKHOUSE", dsn)
    for by in ("priority", "hour"):
        assert json.loads(report("calls", "--by", by, "--json")) == reference.call_report(log, by)
