"""`yupan report`: figures over what is stored (#12, #17, #61)."""

from __future__ import annotations

import csv
import json
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from collections.abc import Callable

Rows = list[dict[str, Any]]
Tables = tuple[tuple[str, str], ...]

_WIDEST = 1_000
"""Columns of a file or a pipe: as many as a table needs."""


class Report(NamedTuple):
    """How a report is asked for, and what people read of it."""

    rows: Callable[..., Rows]
    by: str
    """The grouping unless another is asked for."""
    tables: Tables = ()
    """Title and columns of each table; none: all columns in one."""


_AUDITS = (
    ("what became of them", "opened resolved withdrawn open reopened repairs_sent repairs_helped repairs_failed"),
    ("found before the customer came", "of_customers contact_before contact_after contact_none found_first_share"),
    ("times", "lead_mean_s lead_p50_s lead_p90_s resolve_mean_s resolve_p50_s resolve_p90_s"),
)


@click.command(
    epilog="""\b
Examples:  yupan report calls --by priority
    yupan report calls --by hour --from 2026-11-01 --to 2026-11-08T12:00 --json
    yupan report audits --by month --csv"""
)
@click.argument("name")
@click.option(
    "--by",
    metavar="GROUP",
    help="calls: priority (default), segment, brand or hour (00 to 23). "
    "audits: check (default), cause, severity, region, day or month.",
)
@click.option("--from", "since", metavar="TIME", help="From this moment on; a date is its midnight.")
@click.option("--to", "until", metavar="TIME", help="Before this moment. Without offset both are in YUPAN_TIMEZONE.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
@click.option("--csv", "as_csv", is_flag=True, help="CSV with a header.")
def command(name: str, by: str | None, since: str | None, until: str | None, as_json: bool, as_csv: bool) -> None:
    """Print the report NAME: `calls` (the hotline) or `audits` (what was found, by whom first, and what was repaired).

    `calls`: connect rate, waiting and handling times a group. `audits`: what became of anomalies, whether their
    customers came before we found them, times to repair and repairs, a group and all together.
    """
    from contextlib import closing

    from schemas.errors import UsageError
    from schemas.masking import shown
    from sinks.clickhouse import open_clickhouse
    from streams.importing.times import between_ms
    from streams.settings import Settings

    if as_json and as_csv:
        raise UsageError("--json and --csv: take one of them")
    reports = _reports()
    if name not in reports:
        raise UsageError(f"there is no report {shown(name)}; known are {', '.join(reports)}")
    report, settings = reports[name], Settings.load()
    begin, end = between_ms(since, until, settings.timezone, "the report would be empty")
    group = by or report.by
    with closing(open_clickhouse(settings.clickhouse)) as db:
        rows = report.rows(db, group, settings.timezone, begin, end)
    form = "json" if as_json else "csv" if as_csv else None
    _print(rows, form, f"{name} by {group}", report.tables)


def _reports() -> dict[str, Report]:
    from sinks.audits import report_audits
    from sinks.reports import report_calls

    return {"calls": Report(report_calls, "priority"), "audits": Report(report_audits, "check", _AUDITS)}


def _print(rows: Rows, form: str | None, title: str, tables: Tables) -> None:
    if form == "json":
        click.echo(json.dumps(rows, ensure_ascii=False))
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(rows[0] if rows else ["group"])
        writer.writerows(row.values() for row in rows)
    elif rows:
        for part, columns in tables or (("", " ".join(list(rows[0])[1:])),):
            wanted = ("group", *columns.split())
            _table([{name: row[name] for name in wanted} for row in rows], f"{title}: {part}" if part else title)
    else:
        click.echo("nothing is stored for this report", err=True)


def _table(rows: Rows, title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for name in rows[0]:
        heading = name.replace("_", "\n", 1).replace("_", " ")
        # on a narrow screen a figure goes on in the next line, none is cut
        table.add_column(heading, justify="left" if name == "group" else "right", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    Console(width=None if sys.stdout.isatty() else _WIDEST).print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
