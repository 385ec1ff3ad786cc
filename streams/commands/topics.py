"""`yupan topics`: the topics on the broker, and what they should be."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sinks.admin import Admin
    from streams.settings import Settings

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on one line.")


@click.group(epilog="Example:  yupan topics apply")
def command() -> None:
    """Make the topics, compare them with what they should be, list them."""


@command.command(epilog="Example:  YUPAN_KAFKA=127.0.0.1:9092 YUPAN_PARTITIONS=12 yupan topics apply")
@_JSON
def apply(as_json: bool) -> None:
    """Make what is missing, set what differs; never changes a number of partitions."""
    settings, admin = _admin()
    done = admin.apply(settings.partitions)
    if as_json:
        click.echo(json.dumps(asdict(done)))
    for topic in done.created if not as_json else ():
        click.echo(f"{topic}: made")
    for change in done.changed if not as_json else ():
        click.echo(f"{change.topic}: {change.what} was {change.found or 'unset'}, is {change.wanted}")
    for note in done.notes:
        click.echo(f"yupan: {note}", err=True)
    if not done.created and not done.changed:
        click.echo("yupan: all topics are as they should be", err=True)


@command.command(epilog="Example:  yupan topics diff && echo all as it should be")
@_JSON
def diff(as_json: bool) -> int:
    """Say how the topics differ from what they should be; exit code 1 when they do."""
    from sinks.admin import remedy

    settings, admin = _admin()
    found = admin.diff(settings.partitions)
    if as_json:
        click.echo(json.dumps([asdict(d) for d in found]))
    for difference in found if not as_json else ():
        click.echo(str(difference))
    if found:
        click.echo(f"yupan: {len(found)} difference{'s' if len(found) != 1 else ''}; {remedy(found)}", err=True)
    return 1 if found else 0


@command.command("list", epilog="Example:  yupan topics list --json")
@_JSON
def list_(as_json: bool) -> None:
    """List our topics on the broker with their partitions and settings."""
    _, admin = _admin()
    topics = admin.topics()
    if as_json:
        click.echo(json.dumps([{**asdict(t), "config": dict(t.config)} for t in topics]))
        return
    for topic in topics:
        policy = topic.config.get("cleanup.policy", "?")
        kept = topic.config.get("retention.ms") if policy == "delete" else None
        days = f", {int(kept) // 86_400_000} days" if kept and kept.isdigit() else ""
        click.echo(f"{topic.name:<30} {topic.partitions:>3} partitions  {topic.replication} copies  {policy}{days}")
    if not topics:
        click.echo("yupan: no topics of ours; `yupan topics apply` makes them", err=True)


def _admin() -> tuple[Settings, Admin]:
    from sinks.admin import Admin
    from streams.settings import Settings

    settings = Settings.load()
    return settings, Admin(settings.kafka, settings.kafka_config)
