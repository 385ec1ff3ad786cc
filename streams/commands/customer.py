"""`yupan customer`: one customer over all channels, in one answer (#33, #55)."""

from __future__ import annotations

import json

import click

SHOWN, ALL = 50, 100_000
"""Entries of the timeline for people and for programs, which cannot see that something is left out."""


@click.command(epilog="Example:  yupan customer 13800138000 --json")
@click.argument("msisdn", metavar="MSISDN")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
@click.option("--limit", type=click.IntRange(1, ALL), help="Entries of the timeline.  [default: 50; with --json all]")
def command(msisdn: str, as_json: bool, limit: int | None) -> None:
    """Show profile, segment, states, open anomalies, reminders, tasks, tickets and timeline of one customer."""
    import time
    from contextlib import closing

    from schemas.errors import UsageError
    from schemas.fields import international, is_msisdn
    from sinks.clickhouse import open_clickhouse
    from streams.customer import customer
    from streams.settings import Settings

    settings = Settings.load()
    number = international(msisdn, settings.country_code)
    if not is_msisdn(number, settings.country_code):
        raise UsageError("the number is no MSISDN: 11 to 15 digits with country code, such as 8613800138000")
    with closing(open_clickhouse(settings.clickhouse)) as db:
        most = limit or (ALL if as_json else SHOWN)
        found = customer(db, number, round(time.time() * 1000), most, settings.segments)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
    else:
        from streams.customer_view import show

        show(found, settings.language, settings.timezone)
