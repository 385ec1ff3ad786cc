"""`yupan publish`: JSON lines onto a topic."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

import click

if TYPE_CHECKING:
    from schemas.errors import RecordError
    from schemas.event_type import EventType
    from schemas.json_lines import Item, Lines
    from sinks.producer import EventProducer
    from streams.settings import Settings

_MOST_LINES_SAID = 1_000
"""Bad lines that are told one by one; the rest is counted."""


@click.command(
    epilog="""\b
    Example:  yupan publish yupan.state.v1 states.jsonl
    (a line: {"msisdn": "8613800138000", "system": "crm", "attribute": "status", "value": "active",
    "occurred_at": "2026-11-22T12:00:00+08:00"})"""
)
@click.argument("topic")
@click.argument("file", type=click.File("rb"))
@click.option("--strict", is_flag=True, help="Publish nothing when any line is bad.")
@click.option("--json", "as_json", is_flag=True, help='Print {"published": …, "rejected": …} on stdout.')
def command(topic: str, file: IO[bytes], strict: bool, as_json: bool) -> int:
    """Publish FILE (- is stdin), one JSON object a line, on TOPIC.

    A line holds the record's fields, and optionally "id" and "source". Bad lines are reported with number,
    field and reason, the others are published; the exit code is 1 when any was bad.
    """
    from streams.settings import Settings

    settings = Settings.load()
    event = _event(topic)
    producer = _producer(event, settings)
    if strict:
        file = _seekable(file)
    rejected = _check(producer, event, settings, file) if strict else 0
    published = 0
    if not rejected:
        published, rejected = _publish(producer, event, settings, file)
    if as_json:
        click.echo(json.dumps({"published": published, "rejected": rejected}))
    click.echo(f"yupan: {published} published, {rejected} rejected", err=True)
    return 1 if rejected else 0


def _event(topic: str) -> EventType:
    from schemas.catalogue import EVENTS
    from schemas.errors import UsageError

    if topic not in EVENTS:
        raise UsageError(f"no such topic: {topic}; known are {', '.join(EVENTS)}")
    return EVENTS[topic]


def _producer(event: EventType, settings: Settings) -> EventProducer:
    from schemas.codec import Codec
    from sinks.producer import EventProducer
    from sinks.registry import attach

    codecs = {event.topic: Codec(event)}
    attach(codecs, settings.schema_registry)
    producer = EventProducer(settings.kafka, codecs, settings.kafka_config)
    producer.partitions(event.topic)
    return producer


def _seekable(file: IO[bytes]) -> IO[bytes]:
    if file.seekable():
        return file
    kept: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed with the process
    while chunk := file.read(1 << 20):
        kept.write(chunk)
    kept.seek(0)
    return kept


def _check(producer: EventProducer, event: EventType, settings: Settings, file: IO[bytes]) -> int:
    """Read all without publishing; returns how many lines are bad, and rewinds."""
    from schemas.errors import RecordError
    from schemas.json_lines import Lines

    bad = _Bad()
    for number, item in _items(Lines(event, settings.country_code), file, bad):
        try:
            producer.encode(event.topic, item.record)
        except RecordError as error:
            bad.add(number, error)
    file.seek(0)
    return bad.count


def _publish(producer: EventProducer, event: EventType, settings: Settings, file: IO[bytes]) -> tuple[int, int]:
    """Publish what can be; returns (published, rejected)."""
    from schemas.errors import RecordError
    from schemas.json_lines import Lines
    from streams.progress import over_lines

    bad, published = _Bad(), 0
    lines = Lines(event, settings.country_code)
    with over_lines(file, event.topic) as told:
        for number, item in _items(lines, told, bad):
            try:
                producer.publish(event.topic, item.record, event_id=item.id, source=item.source, key=item.key)
                published += 1
            except RecordError as error:
                bad.add(number, error)
        producer.flush()
    return published, bad.count


class _Bad:
    """The lines that cannot be published."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, number: int, error: RecordError) -> None:
        self.count += 1
        if self.count <= _MOST_LINES_SAID:
            click.echo(f"line {number}: {error.reason}: {error}", err=True)
        elif self.count == _MOST_LINES_SAID + 1:
            click.echo("(further bad lines are only counted)", err=True)


def _items(lines: Lines, file: Iterator[bytes] | IO[bytes], bad: _Bad) -> Iterator[tuple[int, Item]]:
    from schemas.errors import RecordError

    for number, line in enumerate(file, 1):
        if line.isspace():
            continue
        try:
            yield number, lines.read(line)
        except RecordError as error:
            bad.add(number, error)
