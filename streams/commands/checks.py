"""`yupan checks`: the rules of the audit, whether their cases hold, and what they say of a file of events."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from agents.rules import Check, Checks
    from agents.watch_files import WatchList
    from streams.settings import Settings


@click.group(epilog="Example:  yupan checks list")
def command() -> None:
    """List, show, test and replay the checks of the audit and the watch lists (agents/checks and YUPAN_CHECKS)."""


@command.command("list", epilog="Example:  yupan checks list --json")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(as_json: bool) -> None:
    """List all checks, then the watch lists: id, title, kind, deadline (a watch list has none), severity, mode."""
    settings, checks = _load()
    for check in checks.files.values():
        row = _row(check)
        if as_json:
            click.echo(json.dumps(row, ensure_ascii=False))
        else:
            title = check.title[settings.language]
            head = f"{check.id:<24} {check.kind:<8} {row['within'] or '':>8}  {check.severity:<9} {check.mode:<6}"
            click.echo(f"{head}  {title}")


@command.command("show", epilog="Example:  yupan checks show activation")
@click.argument("check_id", metavar="ID")
@click.option("--learned", is_flag=True, help="Also how long its systems took to agree, from the history.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on one line.")
def show(check_id: str, learned: bool, as_json: bool) -> None:
    """Show one check or watch list whole: its rule, its texts, its cases.

    --learned asks ClickHouse for the newest 200,000 states that the check reads.
    """
    settings, checks = _load()
    check = _known(checks, [check_id])[0]
    texts = {name: getattr(check, name) for name in ("cause", "wording", "guidance")}
    cases = [case.name for case in check.cases]
    whole = {**_row(check), **check.rule.describe(), **texts, **_beyond(check), "cases": cases, "file": str(check.file)}
    if learned:
        whole["learned"] = _learned(settings, check)
    if as_json:
        click.echo(json.dumps(whole, ensure_ascii=False))
        return
    if learned and not whole["learned"]:
        whole["learned"] = "nothing yet: no states are stored by which its systems came to agree"
    for name, value in ((name, value) for name, value in whole.items() if value is not None):
        click.echo(f"{name}:")
        for line in _lines(value, settings.language):
            click.echo(f"  {line}")


@command.command("schema", epilog="Example:  yupan checks schema > check.schema.json")
def schema() -> None:
    """Print the JSON Schema of a check's file, by which an editor completes it."""
    from agents.check_schema import schema as schema_of_a_file

    click.echo(json.dumps(schema_of_a_file(), ensure_ascii=False, indent=2))


@command.command("test", epilog="Example:  yupan checks test activation")
@click.argument("ids", metavar="[ID]...", nargs=-1)
def test(ids: tuple[str, ...]) -> int:
    """Run the cases of all checks and watch lists, or of those named. Exit code 1: one is decided otherwise."""
    from agents.cases import differences
    from streams.wording import counted

    _, checks = _load()
    failed = cases = 0
    for check in _known(checks, dict.fromkeys(ids)):
        found = differences(check)
        for difference in found:
            click.echo(difference)
        failed += len(found)
        cases += len(check.cases)
    click.echo(f"{counted(cases, 'case')}, {failed} decided otherwise than expected")
    return 1 if failed else 0


@command.command("replay", epilog="Example:  yupan checks replay events.jsonl --json --until 2026-11-22T13:00:00+08:00")
@click.argument("names", metavar="FILE", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--until", metavar="TIME", help="The clock at the end: the newest event's time, or later.")
@click.option("--check", "only", metavar="ID", multiple=True, help="Only this check; may be given several times.")
def replay(names: tuple[str, ...], as_json: bool, until: str | None, only: tuple[str, ...]) -> int:
    """Send a file of events ("-": stdin) through all checks, without Kafka, and print what they decide.

    What checks in shadow decide is of the kind "shadow"; so is what one decides that is off and named by --check.
    One JSON object a line: {"topic", "record", "id"?, "source"?}, in order of arrival. Lines that cannot
    be used are reported with number, field and reason; the exit code is 1 then.
    """
    from agents.replay import Replay
    from agents.rules import Check, Checks
    from agents.watch_files import WatchList
    from schemas.fields import iso
    from streams.event_lines import fed, opened
    from streams.wording import counted

    settings, checks = _load()
    file, more = _split(names, checks, bool(only))
    ids = [*(one for word in only for one in word.split(",")), *more]
    end = _time(until, settings) if until else None
    bad = 0
    asked = _asked(checks, ids)
    run = Replay(
        Checks([one for one in asked if isinstance(one, Check)], [one for one in asked if isinstance(one, WatchList)]),
        settings.country_code,
        settings.timezone,
        language=settings.language,
    )
    with opened(file) as lines:
        for found in fed(run, lines):
            if isinstance(found, str):
                bad += 1
                click.echo(found, err=True)
            else:
                click.echo(_printed(found, as_json, settings.language))
    if end is not None and end < run.clock:
        click.echo(f"--until: is before the newest event, of {iso(run.clock)}, where the clock stays", err=True)
    for line in run.finish(end):
        click.echo(_printed(line, as_json, settings.language))
    if bad:
        click.echo(f"{counted(bad, 'line')} could not be used", err=True)
    return 1 if bad else 0


@command.command("explain", epilog="Example:  yupan checks explain 13800138000 --check activation")
@click.argument("msisdn", metavar="MSISDN")
@click.option("--check", "only", metavar="ID", multiple=True, help="Only this check; may be given several times.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
def explain(msisdn: str, only: tuple[str, ...], as_json: bool) -> None:
    """Say what each check and watch list makes of one customer now: verdict, states, deadline, open anomaly.

    The present is rebuilt from the history in ClickHouse by the same rules as a worker's.
    """
    import time
    from contextlib import closing

    from schemas.errors import UsageError
    from schemas.fields import international, is_msisdn
    from sinks.clickhouse import open_clickhouse
    from streams.explaining import explained, lines_of

    settings, checks = _load()
    ids = [one for word in only for one in word.split(",")]
    asked = _known(checks, ids) if ids else _asked(checks, ())  # who names one that is off is told that it is
    number = international(msisdn, settings.country_code)
    if not is_msisdn(number, settings.country_code):
        raise UsageError("the number is no MSISDN: 11 to 15 digits with country code, such as 8613800138000")
    with closing(open_clickhouse(settings.clickhouse)) as db:
        found = explained(db, settings, asked, number, round(time.time() * 1000))
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    for line in lines_of(found, settings.timezone):
        click.echo(line)


@command.command("backtest", epilog="Example:  yupan checks backtest activation --from 2026-11-20 --json")
@click.argument("check_id", metavar="CHECK")
@click.option("--from", "since", metavar="TIME", help="Compare what opened from this moment on.")
@click.option("--to", "until", metavar="TIME", help="Before this moment. Without offset both are in YUPAN_TIMEZONE.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
def backtest(check_id: str, since: str | None, until: str | None, as_json: bool) -> int:
    """Replay the topics through a check or watch list as its file is now, and compare with what was decided then.

    Nothing is written to Kafka, no offset is committed. Exit code 1: something is decided otherwise.
    """
    import time

    from schemas.errors import UsageError
    from streams.backtest import backtest as backtested
    from streams.backtest import lines_of
    from streams.importing.times import between_ms
    from streams.progress import over_count

    settings, checks = _load()
    [check] = _known(checks, [check_id])
    begin, end = between_ms(since, until, settings.timezone, "nothing lies between them")
    if begin is not None and settings.clock == "wall" and begin > time.time() * 1000:
        raise UsageError(f"--from: {since} has not come yet: nothing was decided from then on")
    outcome = backtested(settings, check, begin, end, over_count)
    if as_json:
        click.echo(json.dumps(outcome.document(), ensure_ascii=False))
    else:
        for line in lines_of(outcome, settings.timezone):
            click.echo(line)
    for line in outcome.remarks():
        click.echo(line, err=True)
    return 1 if outcome.differs else 0


def _load() -> tuple[Settings, Checks]:
    from agents.rules import load_checks
    from streams.settings import Settings

    settings = Settings.load()
    return settings, load_checks(settings.checks, settings.deadlines, settings.repairs)


def _known(checks: Checks, ids: Iterable[str]) -> list[Check | WatchList]:
    """The checks and watch lists with these ids, or all. Raises `UsageError`."""
    from schemas.errors import UsageError
    from schemas.masking import shown

    wanted, known = list(ids), checks.files
    for check_id in wanted:
        if check_id not in known:
            raise UsageError(f"no check {shown(check_id)}; `yupan checks list` prints {', '.join(known)}")
    return [known[check_id] for check_id in wanted or known]


def _asked(checks: Checks, ids: Iterable[str]) -> list[Check | WatchList]:
    """What is in force, or what is named: who names one that is off wants to know what it would say."""
    from dataclasses import replace

    from agents.shadow import OFF, SHADOW

    wanted = list(ids)
    if not wanted:
        return [one for one in checks.files.values() if one.mode != OFF]
    return [replace(one, mode=SHADOW) if one.mode == OFF else one for one in _known(checks, wanted)]


def _split(names: tuple[str, ...], checks: Checks, several: bool) -> tuple[str, list[str]]:
    """The file, and further ids written behind `--check`."""
    ids = [name for name in names if several and name in checks.files]
    files = [name for name in names if name not in ids]
    if len(files) != 1:
        raise click.UsageError("give one FILE, or - for stdin")
    return files[0], ids


def _time(text: str, settings: Settings) -> int:
    """A moment on the command line; without offset it is in YUPAN_TIMEZONE. Raises `UsageError`."""
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from schemas.errors import UsageError
    from schemas.masking import shown

    if text.isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--until: {shown(text)} is neither ISO 8601 nor epoch milliseconds") from None
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(settings.timezone))
    return round(zoned.timestamp() * 1000)


def _row(check: Check | WatchList) -> dict[str, Any]:
    from agents.rules import Check
    from agents.texts import span_text

    within = span_text(check.rule.within, "en") if isinstance(check, Check) else None
    told = {name: getattr(check, name) for name in ("severity", "mode")}
    return {"id": check.id, "title": check.title, "kind": check.kind, "within": within, **told}


def _learned(settings: Settings, check: Check | WatchList) -> dict[str, Any]:
    """How long each system took. Raises `UsageError`, `PartError`."""
    from contextlib import closing

    from agents.rules import Check
    from schemas.errors import UsageError
    from sinks.clickhouse import open_clickhouse
    from streams.propagation import learned

    if not isinstance(check, Check):
        raise UsageError(f"--learned: {check.id} is a watch list; only checks wait for other systems")
    with closing(open_clickhouse(settings.clickhouse)) as db:
        return learned(db, settings, check)


def _beyond(check: Check | WatchList) -> dict[str, Any]:
    """How technicians are told, and what repairs it."""
    from agents.rules import Check

    if not isinstance(check, Check):
        return {}
    return {"alert": check.alert.describe(), "repair": None if check.repair is None else check.repair.describe()}


def _lines(value: Any, language: str) -> list[str]:
    """A value for people, written as in a file: texts in their language, lists one a line."""
    from agents.texts import written

    if isinstance(value, dict):
        if language in value:
            return [str(value[language])]
        return [line for name, held in value.items() if held is not None for line in _named(name, held, language)]
    if isinstance(value, list):
        return [" – ".join(map(written, v)) if isinstance(v, list) else written(v) for v in value]
    return [written(value)]


def _named(name: str, value: Any, language: str) -> list[str]:
    lines = _lines(value, language)
    if isinstance(value, dict) and language not in value:
        return [f"{name}:", *(f"  {line}" for line in lines)]
    return [f"{name}: {', '.join(lines)}"]


def _printed(line: dict[str, Any], as_json: bool, language: str) -> str:
    if as_json:
        return json.dumps(line, ensure_ascii=False)
    areas = (f"{per} {line[per]}" for per in ("cell", "region") if line.get(per))
    whom = line["msisdn"] or next(areas, "-")
    head = f"{line['at']}  {whom:<13}  {line['kind']:<8}"
    what = f"would tell {line['would']}" if line["kind"] == "shadow" else line.get("status", "changed")
    if "evidence" in line:
        evidence = ", ".join(f"{name} {value}" for name, value in line["evidence"].items())
        return f"{head}  {line['check']} {what} ({line['reason']}): {evidence}"
    if line["kind"] == "shadow":  # of a watch list
        return f"{head}  {line['check']} {what}"
    if line["kind"] == "repair":
        arguments = ", ".join(f"{name} {value}" for name, value in line["arguments"].items())
        return f"{head}  {line['system']} {line['command']}: {arguments}"
    if line["kind"] == "alert":
        return f"{head}  {line['told']}: {line['summary']}"
    if "withdrawn" in line:
        return f"{head}  withdrawn, {line['withdrawn']}"
    return f"{head}  {line['title'].get(language, '')}"
