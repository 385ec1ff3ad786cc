"""`yupan dead-letters`: what could not be used, and why."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sinks.dead_letters import DeadLetter

NUMBER = re.compile(r"\d{11,15}")
SHOWN = 300
"""Bytes shown of a value that cannot be read."""


@click.group("dead-letters", epilog="Example:  yupan dead-letters list --reason bad_msisdn")
def command() -> None:
    """List and show the events that could not be used, with their reasons."""


@command.command("list", epilog="Example:  yupan dead-letters list --topic yupan.state.v1 --limit 20")
@click.option("--reason", help="Only this reason, such as bad_msisdn.")
@click.option("--topic", help="Only what came from this topic.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="The newest so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(reason: str | None, topic: str | None, limit: int, as_json: bool) -> None:
    """List the newest, and count all by reason and topic."""
    from sinks.dead_letters import DeadLetters
    from streams.settings import Settings

    settings = Settings.load()
    with DeadLetters(settings.kafka, settings.kafka_config) as letters:
        found = [
            letter
            for letter in letters.read()
            if reason in (None, letter.reason) and topic in (None, letter.error.get("topic"))
        ]
    found.sort(key=lambda letter: (letter.at, letter.partition, letter.offset))
    for letter in found[-limit:]:
        row = _row(letter)
        click.echo(json.dumps(row, ensure_ascii=False) if as_json else _line(row))
    for (why, where), n in Counter((x.reason, x.error.get("topic", "?")) for x in found).most_common():
        click.echo(f"{n:>8}  {why}  from {where}", err=True)
    if not found:
        click.echo("no dead letters", err=True)


@command.command("show", epilog="Example:  yupan dead-letters show 3:17      (PARTITION:OFFSET, as `list` prints it)")
@click.argument("place", metavar="PARTITION:OFFSET")
@click.option("--reveal", is_flag=True, help="Show customers' numbers unmasked.")
def show(place: str, reveal: bool) -> None:
    """Show one dead letter whole: reason, headers, and the record as far as it can be read."""
    from schemas.errors import UsageError
    from sinks.dead_letters import DeadLetters
    from streams.settings import Settings

    match = re.fullmatch(r"(\d+):(\d+)", place)
    if match is None:
        raise UsageError(f"{place!r} is no PARTITION:OFFSET; `yupan dead-letters list` prints them")
    settings = Settings.load()
    with DeadLetters(settings.kafka, settings.kafka_config) as letters:
        letter = letters.at(int(match[1]), int(match[2]))
    if letter is None:
        raise UsageError(f"there is no dead letter at {place}; `yupan dead-letters list` prints what is there")
    whole = {**_row(letter), **_content(letter)}
    click.echo(json.dumps(whole if reveal else _masked(whole), ensure_ascii=False, indent=2))


def _row(letter: DeadLetter) -> dict[str, Any]:
    from schemas.fields import iso

    error = letter.error
    return {
        "place": letter.place,
        "at": iso(letter.at),
        "reason": letter.reason,
        "stage": error.get("stage"),
        "message": error.get("message"),
        "from": f"{error.get('topic')}/{error.get('partition')}@{error.get('offset')}",
        "source": letter.headers.get("ce_source"),
    }


def _line(row: dict[str, Any]) -> str:
    return f"{row['place']:>10}  {row['at']}  {row['reason']:<15} {row['from']:<32} {row['message']}"


def _content(letter: DeadLetter) -> dict[str, Any]:
    return {
        "headers": dict(letter.headers),
        "key": None if letter.key is None else letter.key.decode("utf-8", "replace"),
        "bytes": len(letter.value or b""),
        "truncated": "truncated" in letter.error,
        "record": _decoded(letter),
    }


def _decoded(letter: DeadLetter) -> Any:
    """The record when its bytes are those of its topic, else what begins them: as text where it is one."""
    from schemas.catalogue import EVENTS
    from schemas.codec import Codec
    from schemas.errors import RecordError

    topic = letter.error.get("topic", "")
    try:
        return Codec(EVENTS[topic]).decode(letter.value) if topic in EVENTS else None
    except RecordError:
        return _begin(letter.value or b"")


def _begin(value: bytes) -> str:
    """The first bytes. Printable ones stay readable, also so that numbers in them can be masked."""
    text = value[:SHOWN].decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def _masked(data: Any) -> Any:
    """`data` with every number that may be an MSISDN masked, wherever a text holds one."""
    from schemas.fields import mask

    if isinstance(data, str):
        return NUMBER.sub(lambda m: mask(m[0]), data)
    if isinstance(data, dict):
        return {_masked(k): _masked(v) for k, v in data.items()}
    return [_masked(v) for v in data] if isinstance(data, list) else data
