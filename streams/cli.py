"""The command `yupan`: finds its commands in `streams/commands/`, one file each, and turns errors into lines.

Commands are imported only when they are asked for, so that `--help` answers at once.
"""

from __future__ import annotations

import errno
import importlib
import os
import pkgutil
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import click

from schemas.errors import PartError, YupanError
from schemas.masking import masked
from streams import commands

ISSUES = "please report it with the lines above"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


class Commands(click.Group):
    """A group whose members are the modules of `streams/commands/`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(m.name.rstrip("_").replace("_", "-") for m in pkgutil.iter_modules(commands.__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = {m.name.rstrip("_").replace("_", "-"): m.name for m in pkgutil.iter_modules(commands.__path__)}
        if cmd_name not in module:
            return None
        command: click.Command = importlib.import_module(f"streams.commands.{module[cmd_name]}").command
        return command


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="""\b
    Start here:  yupan demo               everything on this machine, with traffic
    Settings:    yupan doctor --settings  all of them, with their values""",
)
@click.version_option(package_name="yupan", prog_name="yupan")
def cli() -> None:
    """Yupan 预判: see a customer's problem before the customer calls."""


def main(argv: list[str] | None = None) -> None:
    """Run a command and leave with its exit code (contracts, "The command line")."""
    sys.exit(run(argv))


def run(argv: list[str] | None = None) -> int:
    """The exit code of a command; errors become one line on stderr."""
    with _interrupts() as interrupted:
        return _run(argv, interrupted)


@contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """Set by Ctrl-C, which raises, too: C code of others may turn the `KeyboardInterrupt` into another exception."""
    interrupted = threading.Event()

    def interrupt(number: int, frame: object) -> None:
        interrupted.set()
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


def _run(argv: list[str] | None, interrupted: threading.Event) -> int:
    try:
        result = cli.main(argv, prog_name="yupan", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        if not isinstance(error, click.BadParameter | click.FileError):  # a file's name stays what it is
            error.message = masked(error.message)
        error.show()
        return 2
    except click.Abort:
        click.echo("stopped", err=True)
        return 130
    except YupanError as error:
        click.echo(f"yupan: {error}", err=True)
        return error.exit_code
    except BrokenPipeError:
        _forget_output()
        return 0
    except Exception as error:
        if interrupted.is_set():
            click.echo("stopped", err=True)
            return 130
        return _unforeseen(error)


def _unforeseen(error: Exception) -> int:
    if isinstance(error, OSError) and error.errno in FULL:
        _forget_output()
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"yupan: {where}{error.strerror}; free space there, or write elsewhere", err=True)
        return PartError.exit_code
    traceback.print_exc()
    click.echo(f"yupan: this is our fault; {ISSUES}", err=True)
    return YupanError.exit_code


def _forget_output() -> None:
    """What standard output did not take must not fail once more when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
