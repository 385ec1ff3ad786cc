"""The command `yupan`: finds its commands in `streams/commands/`, one file each, and turns errors into lines.

Commands are imported only when they are asked for, so that `--help` answers at once.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
import traceback

import click

from schemas.errors import YupanError
from streams import commands

ISSUES = "please report it with the lines above"


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
    epilog="Start here:  yupan demo    Everything on this machine, with traffic.  Settings: yupan doctor --settings",
)
@click.version_option(package_name="yupan", prog_name="yupan")
def cli() -> None:
    """Yupan 预判: see a customer's problem before the customer calls."""


def main(argv: list[str] | None = None) -> None:
    """Run a command and leave with its exit code (contracts, "The command line")."""
    sys.exit(run(argv))


def run(argv: list[str] | None = None) -> int:
    """The exit code of a command; errors become one line on stderr."""
    try:
        result = cli.main(argv, prog_name="yupan", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except click.Abort:
        click.echo("stopped", err=True)
        return 130
    except YupanError as error:
        click.echo(f"yupan: {error}", err=True)
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception:
        traceback.print_exc()
        click.echo(f"yupan: this is our fault; {ISSUES}", err=True)
        return 4
