"""`yupan demo`: see it work."""

from __future__ import annotations

import json
from typing import Any

import click

from streams.options import FiniteRange


@click.command(
    epilog="""\b
    Example:  yupan demo                      until Ctrl-C
    yupan demo --seconds 60 --json  ends by itself, the last line is a summary for programs"""
)
@click.option("--seconds", type=FiniteRange(1), help="End after so long, counted from ready.  [until Ctrl-C]")
@click.option("--rate", type=FiniteRange(1, 10_000), default=50, show_default=True, help="Events a second.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed: the same people and stories.")
@click.option(
    "--broker", type=click.Choice(["tansu", "kafka"]), default="tansu", show_default=True, help="As for `yupan dev`."
)
@click.option(
    "--clickhouse", type=click.Choice(["chdb", "server"]), default="chdb", show_default=True, help="As for `yupan dev`."
)
@click.option("--json", "as_json", is_flag=True, help="The summary as one JSON line on stdout; all else on stderr.")
def command(seconds: float | None, rate: float, seed: int, broker: str, clickhouse: str, as_json: bool) -> None:
    """Run everything on this machine with the traffic of a province, and show what Yupan finds in it.

    Drifts between the systems are put in at a known rate. The deadlines of the checks are shortened to seconds.
    """
    from streams.demo.run import Demo, shortened
    from streams.dev import Stack, settings_for_dev
    from streams.running import until_signalled

    settings = shortened(settings_for_dev())
    with until_signalled() as stopped, Stack(settings, broker, clickhouse, workers=1) as stack:
        stopped.wait(0)
        summary = Demo(stack, seed, rate, seconds).run(stopped)
        _say(summary, as_json)


def _say(summary: Any, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(summary))
        return
    for name, value in summary.items():
        click.echo(f"{name:<24} {_plain(value)}")


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "  ".join(f"{name} {_plain(each)}" for name, each in value.items())
    return "-" if value is None else str(value)
