"""`yupan import states`: what a full export says, and what is told of its words. Nothing is sent."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from streams import cli
from streams.importing import mapping as mappings
from streams.importing.left_out import LeftOut
from streams.importing.program import Program, Surroundings

Look = Callable[..., tuple[int, str]]
ANNA, BERT = "13800138000", "13800138001"


@pytest.fixture
def look(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Look:
    """`look(rows, *options)` runs the import with `--dry-run`; gives the exit code and what is told."""

    def run(rows: list[str], *options: str, system: str = "crm", changed: float | None = None) -> tuple[int, str]:
        file = tmp_path / "export.csv"
        file.write_text("msisdn,attribute,value\n" + "".join(f"{row}\n" for row in rows))
        if changed is not None:
            os.utime(file, (changed, changed))
        capsys.readouterr()
        code = cli.run(["import", "states", str(file), "--set", f"system={system}", "--dry-run", *options])
        return code, capsys.readouterr().err

    return run


def test_words_that_nobody_reads_are_told_once_each_with_a_count(look: Look) -> None:
    rows = [f"{ANNA},status,aktiv", f"{BERT},status,aktiv", f"{ANNA},statuz,active", f"{ANNA},subscription.music,1"]
    rows += [f"{ANNA},charge,much", f"{ANNA},{BERT},x", f"{ANNA},subscription.,true"]
    code, told = look(rows)
    lines = told.splitlines()
    reads = "of crm they read status, network_type, subscription.…, charge, gift, tariff, service_password"
    assert code == 0
    assert lines[0] == (
        "yupan: 2 rows: crm.status never is 'aktiv'; its values are active, suspended, half_suspended, closed"
    )
    assert f"yupan: 1 row: no check and no watch list reads 'crm.statuz'; {reads}" in lines
    assert f"yupan: 1 row: no check and no watch list reads 'crm.subscription.'; {reads}" in lines
    assert "yupan: 1 row: 'crm.subscription.music' is true or false, not '1'" in lines
    assert "yupan: 1 row: crm.charge is an amount in yuan, not 'much'" in lines
    assert lines[-1].startswith("yupan: 7 rows: 7 events, 0 rows rejected;")
    assert len(lines) == 7
    assert BERT not in told


def test_words_that_are_known_and_nothing_held_are_not_told(look: Look) -> None:
    rows = ["status,active", "status,", "network_type,5g", "subscription.music,TRUE", "charge,19.90", "tariff,199"]
    code, told = look([f"{ANNA}{n},{row}" for n, row in enumerate(rows)], "--snapshot")
    assert code == 0
    assert told.startswith("yupan: 6 rows: 6 events, 0 rows rejected;")


def test_only_so_many_words_are_told_one_by_one(look: Look) -> None:
    _, told = look([f"{ANNA},status,w{n}" for n in range(22)])
    assert told.count("never is") == 20
    assert "yupan: … and 2 more words that no check and no watch list knows" in told


def test_two_values_of_one_number_in_an_export_are_told(look: Look) -> None:
    rows = [f"{ANNA},status,active", f"86{ANNA},status,closed", f"{BERT},status,active", f"{ANNA},status,active"]
    rows += [f"{ANNA},charge,1", f"{ANNA},charge,2", f"{ANNA},tariff,a"]
    code, told = look(rows, "--snapshot")
    assert code == 0
    assert "yupan: 1 row with another value than the first row of the same number and attribute" in told
    assert "another value" not in look(rows)[1]  # a list of changes


def test_a_number_that_a_spreadsheet_has_shortened_is_refused(look: Look) -> None:
    code, told = look(["1.3811E+10,status,active", "1E+10,status,active", f"{ANNA},status,active"])
    assert code == 1
    why = "msisdn: a number that a spreadsheet has shortened; export it as text"
    assert told.splitlines()[:2] == [f"row {n} (line {n + 1}): {why}" for n in (1, 2)]
    assert "3 rows: 1 event, 2 rows rejected;" in told


@pytest.mark.parametrize(
    ("code", "why"), [("E-17", "only some rows have a number"), ("1.3811E+10", "rows were rejected")]
)
def test_who_has_no_number_among_those_who_have_one_may_not_be_left_out(look: Look, code: str, why: str) -> None:
    _, told = look([f"{code},status,active", f"{ANNA},status,active"], "--snapshot", "--complete")  # asks no ClickHouse
    assert f"yupan: {why}: nothing is told of what the file leaves out" in told


def test_an_unknown_system_is_wrong_use(look: Look) -> None:
    code, told = look([f"{ANNA},status,active"], system="hrl")
    assert (code, told) == (
        2,
        "yupan: the option `system`: 'hrl' is not one of order, crm, hlr, ocs, vas, sacp, smsc\n",
    )


def test_an_export_of_the_future_is_refused(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, far = [f"{ANNA},status,active"], "is more than 1 h ahead of now; events of the far future are refused"
    assert look(rows, "--snapshot", "--at", "2130-01-01") == (2, f"yupan: --at: 2130-01-01 {far}\n")
    code, told = look(rows, changed=time.time() + 2 * 3600)
    assert code == 2
    assert "export.csv: was last changed at 2" in told
    assert look(rows, changed=time.time() + 1800)[0] == 0
    monkeypatch.setenv("YUPAN_CLOCK", "events")  # nothing is far then
    assert look(rows, "--at", "2130-01-01")[0] == 0


def test_one_row_is_one_row(look: Look) -> None:
    assert "yupan: 1 row: 1 event, 0 rows rejected;" in look([f"{ANNA},status,active"])[1]


def test_an_empty_value_of_a_complete_export_is_what_a_number_left_out_is() -> None:
    pages = iter([[{"msisdn": f"86{number}", "newest_region": ""} for number in (ANNA, BERT)], []])
    stored = SimpleNamespace(query=lambda statement, params: next(pages))
    around = Surroundings("Asia/Shanghai", "86", 1_795_320_000_000, {"system": "hlr"}, snapshot=True)
    program = Program(mappings.load("states"), ["msisdn", "attribute", "value"], around)
    [empty] = program.events(1, [ANNA, "status", ""])
    left_out = LeftOut()
    left_out.note(empty.record)
    [told] = left_out.events(cast(Any, stored), around.file_time)
    assert told.record == {**empty.record, "msisdn": f"86{BERT}"}
