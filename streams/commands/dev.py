"""`yupan dev`: everything on this machine but the traffic."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(
    epilog="""\b
    Example:  yupan dev --broker kafka --clickhouse server --ready-file /tmp/yupan.json
    (a second terminal takes the settings that it prints, then: yupan import call-log calls.csv.gz)"""
)
@click.option(
    "--broker",
    type=click.Choice(["tansu", "kafka"]),
    default="tansu",
    show_default=True,
    help="tansu: in memory, from the Python wheel; kafka: Apache Kafka through Java and Maven.",
)
@click.option(
    "--clickhouse",
    type=click.Choice(["chdb", "server"]),
    default="chdb",
    show_default=True,
    help="chdb: in this process; server: the clickhouse-server on PATH.",
)
@click.option("--workers", type=click.IntRange(0, 64), default=1, show_default=True, help="Workers of each role.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the data there (Tansu keeps nothing).  [temporary]",
)
@click.option(
    "--ready-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="When all is ready, write the settings for other commands there as one JSON object.",
)
def command(broker: str, clickhouse: str, workers: int, data: Path | None, ready_file: Path | None) -> None:
    """Run broker, ClickHouse, topics, tables and workers here, in the foreground, until Ctrl-C.

    SIGHUP has the workers read their checks anew, unless the terminal was closed.
    """
    from streams.dev import Stack, settings_for_dev
    from streams.running import until_signalled

    if ready_file is not None:
        _make_way(ready_file)
    with (
        until_signalled(reloads=True) as stopped,
        Stack(settings_for_dev(), broker, clickhouse, workers, data) as stack,
    ):
        stack.announce(ready_file)
        while not stopped.wait(0.5):
            stack.watch()
            if stopped.take_hang_up():
                stack.reload()


def _make_way(ready_file: Path) -> None:
    """A file of an earlier start must not be taken for this one's."""
    from schemas.errors import UsageError

    try:
        ready_file.unlink(missing_ok=True)
        part = ready_file.with_name(ready_file.name + ".part")
        part.touch()
        part.unlink()
    except OSError as error:
        raise UsageError(f"--ready-file {ready_file}: cannot be written ({error.strerror})") from None
