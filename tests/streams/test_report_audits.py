"""`yupan report audits` as people and programs see it: an anomaly that was found first, one that was not, a cell's."""

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
from tests.conftest import ROOT

T = 1_795_320_000_000  # 2026-11-22, noon in Shanghai
MIN = 60_000
Report = Callable[..., str]


def rows(check: str, msisdn: str | None, *told: tuple[str, str, float]) -> list[tuple[str, dict[str, Any]]]:
    """An anomaly's records: (status, reason, minutes after T), the first being its opening."""
    same = {"anomaly_id": f"a-{check}", "msisdn": msisdn, "check": check, "opened_at": T + round(told[0][2] * MIN)}
    return [
        ("yupan.anomaly.v1", {**same, "status": status, "reason": reason, "occurred_at": T + round(minute * MIN)})
        for status, reason, minute in told
    ]


HISTORY = [
    *rows(
        "activation", "8613800138000",
        ("OPEN", "deadline_passed", 0), ("REPAIRING", "repair_sent", 0.5), ("RESOLVED", "agrees_again", 30),
    ),
    *rows("charging", "8613800138001", ("OPEN", "deadline_passed", 24 * 60)),
    *rows("network-connect-rate", None, ("OPEN", "rate_is_low", 0), ("RESOLVED", "rate_recovered", 10)),
    *(
        ("yupan.contact.v1", {"contact_id": f"c{n}", "msisdn": f"861380013800{n}", "direction": "IN",
         "occurred_at": T + at * MIN}) for n, at in ((0, 2), (1, 23 * 60))
    ),
]  # fmt: skip


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Report:
    pytest.importorskip("chdb", reason="chDB is not installed (extra 'embedded')")
    dsn = f"chdb://{tmp_path / 'history'}"
    with closing(open_clickhouse(dsn)) as db:
        migrate(db)
        writer = HistoryWriter(db)
        for n, (topic, record) in enumerate(HISTORY):
            writer.add(Event(topic, record, f"e{n}", "test", record["occurred_at"], record["msisdn"], 0, n, T + n))
        assert not writer.flush()
    monkeypatch.setenv("YUPAN_CLICKHOUSE", dsn)

    def run(*args: str, code: int = 0) -> str:
        capsys.readouterr()
        assert cli.run(["report", "audits", *args]) == code
        out, err = capsys.readouterr()
        return err if code else out

    return run


def json_blocks() -> list[Any]:
    """The JSON that the reference shows."""
    text = (ROOT / "docs/reference.md").read_text("utf-8")
    return [json.loads(block.partition("```")[0]) for block in text.split("```json\n")[1:]]


def test_programs_read_one_document(report: Report) -> None:
    text = report("--json")
    assert text.count("\n") == 1
    activation, charging, rate, everything = json.loads(text)
    assert activation == {
        "group": "activation", "opened": 1, "resolved": 1, "withdrawn": 0, "open": 0, "reopened": 0,
        "of_customers": 1, "contact_before": 0, "contact_after": 1, "contact_none": 0, "found_first_share": 1.0,
        "lead_mean_s": 120.0, "lead_p50_s": 120.0, "lead_p90_s": 120.0,
        "resolve_mean_s": 1800.0, "resolve_p50_s": 1800.0, "resolve_p90_s": 1800.0,
        "repairs_sent": 1, "repairs_helped": 1, "repairs_failed": 0,
    }  # fmt: skip
    assert (charging["contact_before"], charging["found_first_share"], charging["resolve_mean_s"]) == (1, 0.0, None)
    assert (rate["of_customers"], rate["found_first_share"], rate["resolve_p90_s"]) == (0, None, 600.0)
    assert (everything["group"], everything["opened"], everything["found_first_share"]) == ("all", 3, 0.5)
    assert (everything["resolve_mean_s"], everything["resolve_p50_s"]) == (1200.0, 600.0)
    documented = next(block for block in json_blocks() if isinstance(block, list) and "of_customers" in block[0])
    assert list(documented[0]) == list(activation)
    wanted = [{name: "" if v is None else str(v) for name, v in row.items()} for row in json.loads(text)]
    assert list(csv.DictReader(io.StringIO(report("--csv")))) == wanted


def test_people_read_three_tables(report: Report) -> None:
    lines = report().splitlines()
    titles = [line.rstrip() for line in lines if line.startswith("audits by check: ")]
    parts = ("what became of them", "found before the customer came", "times")
    assert titles == [f"audits by check: {part}" for part in parts]
    assert max(map(len, lines)) <= 120
    assert sum("│ network-connect-rate │" in line for line in lines) == 3  # nothing is cut
    cells = [line.strip("│").split("│") for line in lines if line.startswith("│ charging")]
    assert [[cell.strip() for cell in row] for row in cells] == [
        ["charging", "1", "0", "0", "1", "0", "0", "0", "0"],
        ["charging", "1", "1", "0", "0", "0.000"],
        ["charging", "–", "–", "–", "–", "–", "–"],
    ]


def test_days_and_bounds_are_local(report: Report) -> None:
    days = [row["group"] for row in json.loads(report("--by", "day", "--json"))]
    assert days == ["2026-11-22", "2026-11-23", "all"]
    bounded = json.loads(report("--from", "2026-11-23", "--to", "2026-11-24", "--json"))
    assert [(row["group"], row["opened"], row["contact_before"]) for row in bounded] == [
        ("charging", 1, 1),
        ("all", 1, 1),
    ]
    assert json.loads(report("--to", "2026-11-22", "--json")) == []
    assert "--by takes check, cause, severity, region, day, month" in report("--by", "priority", code=2)
