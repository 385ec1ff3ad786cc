"""`yupan doctor`: what is wrong here, and what to do about it."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

MARKS = {"ok": "✓", "warn": "!", "fail": "✗"}


@click.command(epilog="Example:  yupan doctor        yupan doctor --settings")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--settings", "list_settings", is_flag=True, help="List all settings with their values, ask nothing.")
def command(as_json: bool, list_settings: bool) -> int:
    """Examine settings, broker, topics, workers, ClickHouse and disk; say the remedy for what is wrong.

    Exit code 0: all is well; 1: with warnings; 2: wrong settings; 3: a part cannot be used.
    """
    from streams.settings import Settings

    settings = Settings.load()
    if list_settings:
        for name, value, doc in settings.described():
            click.echo(f"YUPAN_{name.upper()}={value}\n    {doc}")
        return 0
    from streams.doctor import examine, verdict

    findings = []
    for finding in examine(settings):
        findings.append(finding)
        line = f"{MARKS[finding.status]} {finding.question:<11} {finding.text}"
        click.echo(json.dumps(asdict(finding), ensure_ascii=False) if as_json else line)
        if finding.remedy and not as_json:
            click.echo(f"  {'':<11} → {finding.remedy}")
    return verdict(findings)
