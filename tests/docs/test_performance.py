"""docs/performance.md is made from benchmarks/results, by hand nothing."""

from __future__ import annotations

from benchmarks.report.__main__ import CHARTS, PAGE
from benchmarks.report.page import SECTIONS, kept, page, pictures
from benchmarks.results import FOLDER

REMEDY = "run: .venv/bin/python -m benchmarks.report"


def test_the_page_tells_the_results() -> None:
    assert PAGE.read_text("utf-8") == page(kept()), REMEDY


def test_the_charts_draw_the_results() -> None:
    assert {file.name: file.read_text("utf-8") for file in CHARTS.glob("*.svg")} == pictures(kept()), REMEDY


def test_another_figure_makes_another_page() -> None:
    found = kept()
    found["reference"]["reference_work"]["yupan"] += 1
    assert page(found) != page(kept())
    assert pictures(found) != pictures(kept())


def test_every_result_has_its_section() -> None:
    assert {file.stem for file in FOLDER.glob("*.json")} <= set(SECTIONS)
