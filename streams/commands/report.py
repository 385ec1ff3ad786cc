"""`yupan report`: figures over what is stored (#12, #17)."""

from __future__ import annotations

import csv
import json
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

Rows = list[dict[str, Any]]


@click.command(
    epilog="""\b
Examples:  yupan report calls --by priority
    yupan report calls --by hour --from 2026-11-01 --to 2026-11-08T12:00 --json"""
)
@click.argument("name")
@click.option("--by", metavar="GROUP", help="calls: priority (default), segment, brand or hour (00 to 23).")
@click.option("--from", "since", metavar="TIME", help="From this moment on; a date is its midnight.")
@click.option("--to", "until", metavar="TIME", help="Before this moment. Without offset both are in YUPAN_TIMEZONE.")
@click.option("--json", "form", flag_value="json", help="One JSON document, for programs.")
@click.option("--csv", "form", flag_value="csv", help="CSV with a header.")
def command(name: str, by: str | None, since: str | None, until: str | None, form: str | None) -> None:
    """Print the report NAME; there is `calls`: calls, connect rate, waiting and handling times a group."""
    from contextlib import closing

    from schemas.errors import UsageError
    from sinks.clickhouse import open_clickhouse
    from streams.importing.times import between_ms
    from streams.settings import Settings

    reports = _reports()
    if name not in reports:
        raise UsageError(f"there is no report {name!r}; known are {', '.join(reports)}")
    settings = Settings.load()
    begin, end = between_ms(since, until, settings.timezone, "the report would be empty")
    with closing(open_clickhouse(settings.clickhouse)) as db:
        rows = reports[name](db, by or "priority", settings.timezone, begin, end)
    _print(rows, form, f"{name} by {by or 'priority'}")


def _reports() -> dict[str, Callable[..., Rows]]:
    from sinks.reports import report_calls

    return {"calls": report_calls}


def _print(rows: Rows, form: str | None, title: str) -> None:
    if form == "json":
        click.echo(json.dumps(rows, ensure_ascii=False))
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(rows[0] if rows else ["group"])
        writer.writerows(row.values() for row in rows)
    elif rows:
        _table(rows, title)
    else:
        click.echo("nothing is stored for this report", err=True)


def _table(rows: Rows, title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for name in rows[0]:
        table.add_column(name.replace("_", " "), justify="left" if name == "group" else "right")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
