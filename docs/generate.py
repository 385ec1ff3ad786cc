"""Writes the tables of docs/ from the code and from results: `python docs/generate.py`; a test compares the two.

A table stands between `<!-- BEGIN name -->` and `<!-- END name -->`; everything else is written by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING
from pathlib import Path
from typing import Any

import click

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from agents.rules import Check, load_checks  # noqa: E402
from agents.texts import span_text  # noqa: E402
from agents.watch_files import WatchList  # noqa: E402
from schemas.catalogue import EVENTS  # noqa: E402
from schemas.dead_letter import DEAD_LETTER  # noqa: E402
from schemas.event_type import EventType  # noqa: E402
from schemas.forms import VALUE_BRANCHES, Field  # noqa: E402
from schemas.metrics import METRICS  # noqa: E402
from schemas.topics import DAY_MS, LEDGER, topic_specs  # noqa: E402
from streams.cli import cli  # noqa: E402
from streams.settings import all_settings  # noqa: E402
from tests.faults.faults import FAULTS  # noqa: E402
from tests.faults.results import kept, totals  # noqa: E402
from tests.model.mutations import MUTATIONS  # noqa: E402

REFERENCE = HERE / "reference.md"
RELIABILITY = HERE / "reliability.md"
KEYS = {
    "yupan.alert.v1": "`incident_id`",
    "yupan.anomaly.v1": "`msisdn`, else `cell:ID`, `region:NAME`",
    "yupan.call.v1": "that of the call's first phase: `msisdn`, else `call_id`",
    "yupan.command.v1": "`msisdn`, else `anomaly_id`",
    "yupan.contact.v1": "`msisdn`, else `CHANNEL\\|handle`, else `contact_id`",
    "yupan.customer.v1": "`msisdn`",
    "yupan.cutover.v1": "`cutover_id`",
    "yupan.internal.call.v1": "`msisdn`",
    "yupan.internal.baseline.v1": "none; the partition is set",
    "yupan.internal.command.v1": "none; the partition is set",
    "yupan.internal.cutover.v1": "none; the partition is set",
    "yupan.internal.contact.v1": "`msisdn`",
    "yupan.internal.list.v1": "none; the partition is set",
    "yupan.internal.incident.v1": "check, area and cause; of works their id",
    "yupan.internal.repair.v1": "the check's id; of an answer the MSISDN",
    "yupan.internal.rate.v1": "`cell:ID`, else `region:NAME`",
    "yupan.list.v1": "`msisdn`; `REPLACED`: none",
    "yupan.message.v1": "`msisdn`",
    "yupan.reminder.v1": "`msisdn\\|reminder_id`, partition of `msisdn`",
    "yupan.repair.v1": "`msisdn`",
    "yupan.repair-result.v1": "`msisdn`",
    "yupan.retention-result.v1": "`msisdn`",
    "yupan.retention-task.v1": "`msisdn`",
    "yupan.route.v1": "the call's",
    "yupan.screen-pop.v1": "the call's",
    "yupan.seat.v1": "`seat_id`",
    "yupan.state.v1": "`msisdn`",
    "yupan.tagged-call.v1": "the call's",
    "yupan.ticket.v1": "`msisdn`",
    "yupan.usage.v1": "`msisdn`",
    DEAD_LETTER: "the original's",
    LEDGER: "the ledger's key",
}
OTHERS = {
    DEAD_LETTER: ("out", "What could not be used, as it came, with headers that say why."),
    LEDGER: ("internal", "The changelog of the ledger (MessagePack)."),
}


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of Markdown; cells are Markdown already."""
    lines = [list(head)]
    lines += [["---"] * len(lines[0]), *map(list, rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def code(text: str) -> str:
    """`text` as code within a table."""
    return f"`{text.replace('|', chr(92) + '|')}`" if text else ""


def plain(text: str) -> str:
    """`text` within a table: one line, no bars, no tags."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


# --- commands


def leaves(command: click.Command = cli, name: str = "yupan") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, with its whole name."""
    if not isinstance(command, click.Group):
        yield name, command
        return
    context = click.Context(command, info_name=name)
    for sub in command.list_commands(context):
        found = command.get_command(context, sub)
        assert found is not None
        yield from leaves(found, f"{name} {sub}")


def commands() -> str:
    """Every command with its arguments and options."""
    return "\n\n".join(_command(name, command) for name, command in leaves())


def _command(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name)
    usage = " ".join(piece for piece in command.collect_usage_pieces(context) if piece != "[OPTIONS]")
    head = (command.help or "").split("\n\n")[0]
    parts = [f"### `{name}`", f"`{name} {usage}`".replace(" `", "`") + " · " + " ".join(head.split())]
    records = [p.get_help_record(context) for p in command.get_params(context) if p.name != "help"]
    options = [(code(record[0]), plain(record[1])) for record in records if record is not None]
    if options:
        parts.append(table(("option", "meaning"), options))
    return "\n\n".join(parts)


# --- settings


def settings() -> str:
    """Every setting with its default."""
    return table(("setting", "default", "form", "meaning"), map(_setting, all_settings()))


def _setting(field: Any) -> tuple[str, ...]:
    default = field.default if field.default is not MISSING else ""
    text = ",".join(default) if isinstance(default, tuple) else str(default)
    if field.name == "act_within":
        text = span_text(default, "en").replace(" ", "")
    meta = field.metadata
    return code(f"YUPAN_{field.name.upper()}"), code(text), plain(meta["form"].wanted), plain(meta["doc"])


# --- topics


def topics() -> str:
    """Every topic: what flows on it, its key, how long it is kept."""
    return table(("topic", "flow", "key", "kept", "what"), map(_topic, topic_specs(12, 3)))


def _topic(spec: Any) -> tuple[str, ...]:
    event = EVENTS.get(spec.name)
    flow, what = (event.flow, _doc(event)) if event else OTHERS[spec.name]
    return code(spec.name), flow, KEYS[spec.name], _kept(spec.config), plain(what)


def _kept(config: Mapping[str, str]) -> str:
    if config["cleanup.policy"] == "compact":
        days = int(config["delete.retention.ms"]) // DAY_MS
        return f"compacted; tombstones {days} day{'s' if days > 1 else ''}"
    return f"{int(config['retention.ms']) // DAY_MS} days"


def _doc(event: EventType) -> str:
    return (event.record.__doc__ or "").strip().splitlines()[0]


def events() -> str:
    """The fields of every event type."""
    return "\n".join(f"- `{topic}`: {'; '.join(map(_field, event.fields.values()))}" for topic, event in EVENTS.items())


def _field(field: Field) -> str:
    name = f"`{field.name}{'?' if field.nullable else ''}`"
    kind = "time" if field.is_time else _type(field.avro["type"])
    if field.words and not kind:  # an open set is a string in Avro, a closed one an enum
        kind = f"{' '.join(field.words)} …"
    return f"{name} {kind}".rstrip()


def _type(avro: Any) -> str:
    if avro == VALUE_BRANCHES:
        return "value"
    if isinstance(avro, list):
        return _type(next(branch for branch in avro if branch != "null"))
    if isinstance(avro, str):
        return "" if avro == "string" else avro
    kind = avro["type"]
    if kind == "array":
        return f"array of {_type(avro['items']) or 'strings'}"
    if kind == "map":
        return f"map of {_type(avro['values']) or 'strings'}"
    if kind == "enum":
        return " ".join(symbol for symbol in avro["symbols"] if symbol != "UNKNOWN")
    if kind == "record":
        return "(" + " ".join(field["name"] for field in avro["fields"]) + ")"
    return "time" if avro.get("logicalType") else str(kind)


# --- the rest


def metrics() -> str:
    """Every metric as Prometheus shows it."""
    rows = (
        (code(m.name + ("_total" if m.kind == "counter" else "")), m.kind, code(" ".join(m.labels)), plain(m.help))
        for m in METRICS
    )
    return table(("metric", "kind", "labels", "meaning"), rows)


def checks() -> str:
    """Every shipped check."""
    rows = (
        (code(check.id), check.title["zh"], check.kind, span_text(check.rule.within, "en"), check.severity, check.mode)
        for check in load_checks().files.values()
        if isinstance(check, Check)
    )
    return table(("check", "title", "kind", "deadline", "severity", "mode"), rows)


def watches() -> str:
    """Every shipped watch list."""
    rows = (
        (code(watch.id), watch.title["zh"], watch.title["en"], watch.kind, watch.severity, watch.mode)
        for watch in load_checks().files.values()
        if isinstance(watch, WatchList)
    )
    return table(("list", "title", "", "kind", "severity", "mode"), rows)


def faults() -> str:
    """What came of every kind of fault in all recorded runs, and of all together."""
    head = ("fault", "what happens", "runs", "events", "lost", "doubled", "longest pause", "seeds")
    found = [(code(name), plain(FAULTS[name].what), *_counted(said)) for name, said in totals(kept()).items()]
    together = [("all", "", *_counted({**said, "seeds": ()})) for said in totals(kept(), by="").values()]
    return table(head, [*found, *together])


def runs_by_commit() -> str:
    """Which code was run."""
    found = [(code(name), *_counted(said)[:-1]) for name, said in totals(kept(), by="commit").items()]
    return table(("commit", "runs", "events", "lost", "doubled", "longest pause"), found)


def mutations() -> str:
    """Every rule of the engine that a test takes out, and what the model finds then."""
    found = ((name.replace("_", " "), _broken(mutation.breaks)) for name, mutation in MUTATIONS.items())
    return table(("what is made of the engine", "what the model tells then"), found)


def _broken(pattern: str) -> str:
    if not pattern:
        return "found in about one of a thousand interleavings: not by a quick test"
    told = pattern.replace("[0-9]+ ", "too many ").replace(" . ", " … ").split("|")
    return " or ".join(map(plain, told))


def _counted(said: Mapping[str, Any]) -> tuple[str, ...]:
    numbers = (f"{said[name]:,}" for name in ("runs", "events", "lost", "doubled"))
    return (*numbers, f"{said['longest_pause_s']:.1f} s", ", ".join(map(str, said["seeds"])))


SECTIONS: dict[str, Callable[[], str]] = {
    "commands": commands,
    "settings": settings,
    "topics": topics,
    "events": events,
    "metrics": metrics,
    "checks": checks,
    "watches": watches,
}
PAGES: dict[Path, dict[str, Callable[[], str]]] = {
    REFERENCE: SECTIONS,
    RELIABILITY: {"faults": faults, "commits": runs_by_commit, "mutations": mutations},
}


def fill(page: Path, text: str) -> str:
    """The text of a page with every table made anew. Raises ValueError for a table without its marks."""
    for name, make in PAGES[page].items():
        begin, end = f"<!-- BEGIN {name} -->", f"<!-- END {name} -->"
        pattern = re.compile(f"{begin}\n.*?{end}", re.DOTALL)
        if len(pattern.findall(text)) != 1:
            raise ValueError(f"{page.name}: {begin} … {end} must stand there once")
        made = f"{begin}\n\n{make()}\n\n{end}"
        text = pattern.sub(lambda _, made=made: made, text)  # type: ignore[misc]
    return text


if __name__ == "__main__":
    for each in PAGES:
        each.write_text(fill(each, each.read_text("utf-8")), "utf-8")
