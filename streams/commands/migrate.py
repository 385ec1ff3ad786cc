"""`yupan migrate`: ClickHouse's tables, brought up to date."""

from __future__ import annotations

import click


@click.command(epilog="Example:  YUPAN_CLICKHOUSE=clickhouse://default:@127.0.0.1:9000/yupan yupan migrate --dry-run")
@click.option("--dry-run", is_flag=True, help="Say what would be done, change nothing.")
def command(dry_run: bool) -> None:
    """Apply the numbered SQL migrations that ClickHouse does not have yet. Safe to repeat."""
    from contextlib import closing

    from sinks.clickhouse import open_clickhouse
    from sinks.migrate import migrate
    from streams.settings import Settings

    with closing(open_clickhouse(Settings.load().clickhouse)) as db:
        for step in migrate(db, dry_run):
            click.echo(f"{step.status:<8} {step.name}" + (f"  ({step.reason})" if step.reason else ""))
