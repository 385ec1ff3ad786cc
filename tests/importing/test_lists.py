"""`yupan import watch-list`: what is told of a list that no file has. Nothing is sent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from streams import cli

Look = Callable[..., tuple[int, list[str]]]
SAID, SILENT = "13800138000,说明账单,", "13800138001,,"
OWN = Path(__file__).parents[2] / "agents" / "checks" / "watch.roaming-bill.yaml"


@pytest.fixture
def look(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Look:
    """`look(list, *rows)` runs the import with `--dry-run`; gives the exit code and what is told before the summary."""

    def run(name: str, *rows: str, mapping: str = "watch-list") -> tuple[int, list[str]]:
        file = tmp_path / "entries.csv"
        file.write_text("msisdn,guidance_zh,wording_en\n" + "".join(f"{row}\n" for row in rows), "utf-8")
        capsys.readouterr()
        code = cli.run(["import", mapping, str(file), "--list", name, "--dry-run"])
        *told, summary = capsys.readouterr().err.splitlines()
        assert f"{len(rows)} events, 0 rows rejected" in summary
        return code, told

    return run


def test_of_a_list_without_a_file_it_is_told_how_many_rows_say_nothing(look: Look) -> None:
    code, [told] = look("watch:roaming-bil", SAID, SILENT, "13800138002,,We know")
    assert code == 0
    assert told.startswith(
        "yupan: no file has the list 'watch:roaming-bil', so its reminders say only what its rows do: "
        "1 of 3 rows with neither guidance nor wording; lists with a file are watch:"
    )
    assert "watch:roaming-bill" in told
    [told] = look("watch:roaming-bil", SAID, SILENT, mapping="list")[1]
    assert "2 of 2 rows" in told


def test_a_list_with_a_file_and_one_of_a_segment_need_no_texts(look: Look) -> None:
    assert look("watch:roaming-bill", SAID, SILENT) == (0, [])
    assert look("campus", SAID, SILENT, mapping="list") == (0, [])


def test_a_file_of_ones_own_counts(look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "checks"
    own.mkdir()
    text = OWN.read_text("utf-8").replace("watch:roaming-bill", "watch:bills")
    (own / "bills.yaml").write_text(text, "utf-8")
    monkeypatch.setenv("YUPAN_CHECKS", str(own))
    assert look("watch:bills", SAID, SILENT) == (0, [])
