"""`yupan worker`: decides events, writes the history, or pushes alerts."""

from __future__ import annotations

import click


@click.command(
    epilog="""\b
    Example:  YUPAN_KAFKA=kafka:9092 YUPAN_LEDGER=rocksdb:///var/lib/yupan yupan worker --role decide
    Run as many as you like of each role; partitions are shared among them."""
)
@click.option(
    "--role",
    type=click.Choice(["decide", "history", "alerts", "all"]),
    default="all",
    show_default=True,
    help="decide: audits, tags, pops; history: ClickHouse; alerts: Alertmanager; all: one process each.",
)
def command(role: str) -> int:
    """Run one worker in the foreground until SIGTERM or Ctrl-C. SIGHUP has `decide` read its checks anew.

    A broker, ClickHouse or Alertmanager that goes away is waited for. A worker that was fenced by another ends with
    exit code 3: have it started again (systemd, Kubernetes; `--role all` does so by itself).
    """
    from streams.running import hold_hang_ups

    hold_hang_ups()
    from streams.settings import Settings

    settings = Settings.load()
    if role == "all":
        from streams.supervisor import run_all

        return run_all(settings)
    from streams.worker import run

    return run(settings, role)
