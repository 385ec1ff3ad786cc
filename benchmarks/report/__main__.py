"""Write the page and its charts: `python -m benchmarks.report`."""

from __future__ import annotations

from pathlib import Path

from benchmarks.report.page import kept, page, pictures

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE, CHARTS = DOCS / "performance.md", DOCS / "performance"


def main() -> None:
    """Charts that no section draws any more are removed."""
    found = kept()
    drawn = pictures(found)
    CHARTS.mkdir(exist_ok=True)
    for stale in CHARTS.glob("*.svg"):
        if stale.name not in drawn:
            stale.unlink()
    for name, svg in drawn.items():
        (CHARTS / name).write_text(svg, "utf-8")
    PAGE.write_text(page(found), "utf-8")


if __name__ == "__main__":
    main()
