"""`yupan import`: a CSV file becomes events, by a mapping."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from streams.importing.importer import Done

_EXAMPLES = """\b
Examples:  yupan import call-log calls.csv.gz
    yupan import list campus.csv --list campus --version 2026-autumn --replace
    yupan import states hlr.csv.gz --set system=hlr --snapshot      (what has drifted without telling?)
    yupan import states hlr.csv.gz --set system=hlr --snapshot --complete --dry-run      (what does it leave out?)
    yupan import my-mapping.yaml file.csv --dry-run      (checks both, sends nothing)
Shipped mappings: call-log, telco-customers, list, watch-list, states. How to write one: docs/import.md"""


@click.command(epilog=_EXAMPLES)
@click.argument("mapping")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--list", "list_", metavar="NAME", help="For lists: mid_high, campus, rural or watch:NAME.")
@click.option("--version", metavar="V", help="For lists: the version that the rows belong to.")
@click.option("--replace", is_flag=True, help="For lists: what the list held before ends.")
@click.option("--set", "sets", multiple=True, metavar="OPTION=VALUE", help="Any other option of the mapping.")
@click.option("--snapshot", is_flag=True, help="FILE is a full export of one system, for comparison (states only).")
@click.option("--complete", is_flag=True, help="With --snapshot: who is left out is no longer held there, either.")
@click.option("--at", metavar="TIME", help="When a file without times was true.  [when the file was last changed]")
@click.option("--encoding", help="The file's encoding, such as gb18030.  [the mapping's, else utf-8]")
@click.option(
    "--rejects", type=click.Path(dir_okay=False, path_type=Path), help="Write rows that cannot be used there."
)
@click.option("--dry-run", is_flag=True, help="Read and check all, send nothing.")
@click.option("--no-wait", is_flag=True, help="Return when Kafka has the events, not when ClickHouse has them.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document about the import on stdout.")
def command(
    mapping: str,
    file: Path,
    list_: str | None,
    version: str | None,
    replace: bool,
    sets: tuple[str, ...],
    snapshot: bool,
    complete: bool,
    at: str | None,
    encoding: str | None,
    rejects: Path | None,
    dry_run: bool,
    no_wait: bool,
    as_json: bool,
) -> int:
    """Turn the rows of FILE (CSV, also .gz) into events by MAPPING, a shipped name or a file.

    Returns when the events are readable in ClickHouse. Rows that cannot be used are reported with number and
    reason, and the exit code is then 1. The same file imported twice adds nothing.
    """
    from streams.importing.importer import Order, import_file
    from streams.settings import Settings

    given = {"list": list_, "version": version, "replace": "yes" if replace else None}
    options = {name: value for name, value in given.items() if value is not None}
    options |= _pairs(sets)
    order = Order(mapping, file, options, at, encoding, rejects, dry_run, not no_wait, snapshot, complete)
    done = import_file(order, Settings.load(), lambda line: click.echo(line, err=True))
    click.echo(_summary(done), err=True)
    if as_json:
        click.echo(json.dumps(done.document()))
    if complete and done.left_out is None:
        why = "rows were rejected" if done.tally.rejected else "only some rows have a number"
        click.echo(f"yupan: {why}: nothing is told of what the file leaves out; mend them first", err=True)
    return 1 if done.tally.rejected else 0


def _pairs(sets: tuple[str, ...]) -> dict[str, str]:
    from schemas.masking import shown

    pairs = {}
    for pair in sets:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise click.UsageError(f"--set takes OPTION=VALUE, not {shown(pair)}")
        pairs[name] = value
    return pairs


def _summary(done: Done) -> str:
    from streams.wording import counted

    tally = done.tally
    events, rejected = counted(tally.events, "event"), counted(tally.rejected, "row")
    parts = [f"{counted(tally.rows, 'row')}: {events}, {rejected} rejected"]
    if done.left_out is not None:
        parts.append(f"left out: {counted(done.left_out, 'state')} known before")
    if tally.repeated:
        parts.append(f"repeating an earlier one: {counted(tally.repeated, 'row')}")
    if tally.synthetic:
        parts.append(f"with a synthetic number (999…): {counted(tally.synthetic, 'row')}")
    return f"yupan: {'; '.join(parts)}; {done.seconds:.1f} s, {tally.rows / done.seconds:,.0f} rows/s ({done.state})"
