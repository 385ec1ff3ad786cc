"""`yupan schemas`: the contracts as Avro files, checked, registered, described."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.group(epilog="Example:  yupan schemas check")
def command() -> None:
    """Export, check, register and describe the schemas of all topics."""


@command.command(epilog="Example:  yupan schemas export --out build/avro")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Another folder.  [schemas/avro]")
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 when a file is missing or differs.")
def export(out: Path | None, check: bool) -> int:
    """Write TOPIC/N.avsc for the present version of every event type.

    A file that exists and differs is never overwritten: raise the event type's version instead.
    """
    from schemas.catalogue import EVENTS
    from schemas.codec import FOLDER
    from schemas.export import export as write
    from schemas.export import text_of

    folder = out or FOLDER
    if not check:
        for file in write(folder):
            click.echo(f"{file}: written")
        return 0
    stale = [
        file
        for event in EVENTS.values()
        if not (file := folder / event.topic / f"{event.version}.avsc").is_file()
        or file.read_text("utf-8") != text_of(event.avro)
    ]
    for file in stale:
        click.echo(f"{file}: {'differs' if file.is_file() else 'is missing'}; run `yupan schemas export`")
    return 1 if stale else 0


@command.command(epilog="Example:  yupan schemas check --json")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on one line.")
def check(as_json: bool) -> int:
    """Verify that the committed files are what the code says and that every version reads every other."""
    from schemas import compatibility
    from schemas.catalogue import EVENTS
    from schemas.codec import committed

    findings = [finding for event in EVENTS.values() for finding in compatibility.check(event)]
    if as_json:
        click.echo(json.dumps([finding._asdict() for finding in findings]))
    for finding in findings if not as_json else ():
        click.echo(str(finding))
    versions = sum(len(committed(topic)) for topic in EVENTS)
    click.echo(f"yupan: {len(EVENTS)} topics, {versions} versions, {len(findings)} findings", err=True)
    return 1 if findings else 0


@command.command(epilog="Example:  YUPAN_SCHEMA_REGISTRY=http://127.0.0.1:8081 yupan schemas register")
def register() -> None:
    """Register every version of every schema at YUPAN_SCHEMA_REGISTRY, compatibility FULL_TRANSITIVE."""
    from schemas.catalogue import EVENTS
    from schemas.errors import UsageError
    from sinks.registry import Registry
    from streams.settings import Settings

    address = Settings.load().schema_registry
    if not address:
        raise UsageError("YUPAN_SCHEMA_REGISTRY is not set; it is the address of the registry's Confluent interface")
    registry = Registry(address)
    for event in EVENTS.values():
        click.echo(f"{event.topic}-value: id {registry.register(event)}")


@command.command(epilog="Example:  yupan schemas asyncapi --format yaml > asyncapi.yaml")
@click.option(
    "--format", "form", type=click.Choice(["json", "yaml"]), default="json", show_default=True, help="How to write it."
)
def asyncapi(form: str) -> None:
    """Print all topics, messages and schemas as an AsyncAPI 3 document."""
    from schemas.asyncapi import asyncapi as document
    from streams.settings import Settings

    data = document(Settings.load().partitions)
    if form == "yaml":
        import yaml

        click.echo(yaml.safe_dump(data, allow_unicode=True, sort_keys=False), nl=False)
    else:
        click.echo(json.dumps(data, ensure_ascii=False))
