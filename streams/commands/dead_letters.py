"""`yupan dead-letters`: what could not be used, and why; once the cause is mended, it is replayed."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sinks.dead_letters import DeadLetter
    from streams.replaying import Outcome

NUMBER = re.compile(r"\d{11,15}")
NOTHING = "nothing lies between them"
SHOWN = 300
"""Bytes shown of a value that cannot be read."""


@click.group("dead-letters", epilog="Example:  yupan dead-letters list --reason bad_msisdn")
def command() -> None:
    """List, show and replay the events that could not be used."""


@command.command("list", epilog="Example:  yupan dead-letters list --topic yupan.state.v1 --limit 20")
@click.option("--reason", help="Only this reason, such as bad_msisdn.")
@click.option("--topic", help="Only what came from this topic.")
@click.option(
    "--status",
    type=click.Choice(("waiting", "replayed", "succeeded", "failed")),
    help="Only these: waiting to be replayed; replayed and not yet decided; succeeded; failed again (a newer one).",
)
@click.option("--from", "since", metavar="TIME", help="Only what was dead-lettered from this moment on.")
@click.option("--to", "until", metavar="TIME", help="Before this moment. Without offset both are in YUPAN_TIMEZONE.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="The newest so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(
    reason: str | None,
    topic: str | None,
    status: str | None,
    since: str | None,
    until: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List the newest, and count all by reason and topic."""
    from sinks.dead_letters import DeadLetters
    from streams.importing.times import between_ms
    from streams.replaying import Selection
    from streams.settings import Settings

    settings = Settings.load()
    selection = Selection(None, reason, topic, *between_ms(since, until, settings.timezone, NOTHING))
    with DeadLetters(settings.kafka, settings.kafka_config) as letters:
        found = [letter.bare() for letter in letters.read() if selection.takes(letter)]
        became = letters.standing
    found = [letter for letter in found if status in (None, became.of(letter))]
    found.sort(key=lambda letter: (letter.at, letter.partition, letter.offset))
    for letter in found[-limit:]:
        row = {**_row(letter), "status": became.of(letter)}
        click.echo(json.dumps(row, ensure_ascii=False) if as_json else _line(row))
    for (why, where), n in Counter((x.reason, x.topic) for x in found).most_common():
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

    partition, offset = _place(place)
    settings = Settings.load()
    with DeadLetters(settings.kafka, settings.kafka_config) as letters:
        letter = letters.at(partition, offset)
    if letter is None:
        raise UsageError(f"there is no dead letter at {place}; `yupan dead-letters list` prints what is there")
    whole = {**_row(letter), **_content(letter)}
    click.echo(json.dumps(whole if reveal else _masked(whole), ensure_ascii=False, indent=2))


_EXAMPLES = """\b
Examples:  yupan dead-letters replay --reason agent_raised --dry-run
    yupan dead-letters replay --topic yupan.state.v1 --from 2026-11-22T08:00 --to 2026-11-22T12:00
    yupan dead-letters replay 3:17      (PARTITION:OFFSET, as `list` prints it)"""


@command.command("replay", epilog=_EXAMPLES)
@click.argument("place", metavar="[PARTITION:OFFSET]", required=False)
@click.option("--reason", help="Only this reason, such as agent_raised.")
@click.option("--topic", help="Only what came from this topic.")
@click.option("--from", "since", metavar="TIME", help="Only what was dead-lettered from this moment on.")
@click.option("--to", "until", metavar="TIME", help="Before this moment. Without offset both are in YUPAN_TIMEZONE.")
@click.option("--dry-run", is_flag=True, help="Say what would be replayed, write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document about the replay on stdout.")
def replay(
    place: str | None,
    reason: str | None,
    topic: str | None,
    since: str | None,
    until: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Write what is waiting back to its topic, with its key, value and headers, once its cause is mended.

    Without options all. What was replayed before is left out. The exit code is 1 when there are some that cannot be
    replayed, such as truncated ones.
    """
    from streams.importing.times import between_ms
    from streams.progress import over_count
    from streams.replaying import Selection
    from streams.replaying import replay as replayed
    from streams.settings import Settings

    settings = Settings.load()
    begin, end = between_ms(since, until, settings.timezone, NOTHING)
    place = None if place is None else "{}:{}".format(*_place(place))
    outcome = replayed(settings, Selection(place, reason, topic, begin, end), over_count, dry_run=dry_run)
    _tell(outcome, dry_run)
    if as_json:
        document = {"replayed": outcome.replayed, "skipped": outcome.skipped, "seconds": round(outcome.seconds, 3)}
        click.echo(json.dumps(document | ({"would_replay": len(outcome.chosen)} if dry_run else {})))
    return 1 if outcome.unfit else 0


def _tell(outcome: Outcome, dry_run: bool) -> None:
    """On stderr: what was replayed by reason and topic, what was not and why, and the sum."""
    from streams.replaying import NAMED

    for (why, where), n in outcome.by_origin.most_common():
        click.echo(f"{n:>8}  {why}  to {where}", err=True)
    for status, n in outcome.before.most_common():
        told = {"replayed": "not yet decided", "failed": "failed again"}.get(status, status)
        click.echo(f"{n:>8}  skipped: replayed before, {told}", err=True)
    for why, places in outcome.unfit.items():
        rest = " …" if len(places) > NAMED else ""
        click.echo(f"{len(places):>8}  skipped: {why} ({', '.join(places[:NAMED])}{rest})", err=True)
    done = f"{len(outcome.chosen)} would be replayed" if dry_run else f"{outcome.replayed} replayed"
    click.echo(f"yupan: {done}, {outcome.skipped} skipped; {outcome.seconds:.1f} s", err=True)


def _place(text: str) -> tuple[int, int]:
    from schemas.errors import UsageError

    match = re.fullmatch(r"([0-9]{1,9}):([0-9]{1,18})", text)
    if match is None:
        raise UsageError(f"{text!r} is no PARTITION:OFFSET; `yupan dead-letters list` prints them")
    return int(match[1]), int(match[2])


def _row(letter: DeadLetter) -> dict[str, Any]:
    from schemas.fields import iso

    error = letter.error
    return {
        "place": letter.place,
        "at": iso(letter.at),
        "reason": letter.reason,
        "stage": error.get("stage"),
        "message": error.get("message"),
        "attempt": error.get("attempt", "1"),
        "from": f"{error.get('topic')}/{error.get('partition')}@{error.get('offset')}",
        "source": letter.headers.get("ce_source"),
    }


def _line(row: dict[str, Any]) -> str:
    return (
        f"{row['place']:>10}  {row['at']}  {row['status']:<9}  {row['reason']:<15} {row['from']:<32} {row['message']}"
    )


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
    from schemas.masking import mask

    if isinstance(data, str):
        return NUMBER.sub(lambda m: mask(m[0]), data)
    if isinstance(data, dict):
        return {_masked(k): _masked(v) for k, v in data.items()}
    return [_masked(v) for v in data] if isinstance(data, list) else data
