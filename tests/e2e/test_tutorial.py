"""The tutorial's commands, all of them, in one shell, in a fresh clone: they end well, and show what it shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.kit import ROOT, clean_environ

TUTORIAL = ROOT / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INSTALL = "make install"
SECONDS = 240
FRAME = str.maketrans("", "", "╭─╮│╰╯")


def blocks(kind: str) -> list[str]:
    return [text for found, text in BLOCK.findall(TUTORIAL.read_text("utf-8")) if found == kind]


def squeezed(text: str) -> str:
    """Without frames and line breaks, which depend on the terminal's width."""
    return " ".join(text.translate(FRAME).split())


def test_what_it_shows_is_what_one_sees(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("no git repository: the tutorial begins with a clone")
    commands = "".join(blocks("sh"))
    # installing takes minutes, and a registry: the clone gets the environment that runs this
    environment = Path(sys.executable).parent.parent
    assert commands.count(INSTALL) == 1
    dry = subprocess.run(["make", "-n", "install"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert dry.returncode == 0, dry.stderr
    script = "set -eo pipefail\n" + commands.replace(INSTALL, f"ln -s '{environment}' .venv")
    environ = {**clean_environ(), "REPOSITORY": str(ROOT), "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    with (tmp_path / "said").open("w+b") as said:
        shell = subprocess.Popen(
            ["bash", "-c", script], cwd=tmp_path, env=environ, stdout=said, stderr=said, start_new_session=True
        )
        try:
            code = shell.wait(SECONDS)
        finally:
            _end(shell)
        said.seek(0)
        seen = squeezed(said.read().decode())
    assert code == 0, seen[-3_000:]
    for block in blocks("text"):
        for line in block.splitlines():
            where = seen.find(squeezed(line))
            assert where >= 0, f"not seen (in this order): {line}\n{seen[-3_000:]}"
            seen = seen[where:]


def _end(shell: subprocess.Popen[bytes]) -> None:
    """End the shell's session: when a command failed, `dev` still runs in it, and ends its own parts on SIGTERM."""
    try:
        os.killpg(shell.pid, 15)
    except ProcessLookupError:
        return
    shell.wait(20)


def test_its_check_is_short() -> None:
    """Ten minutes to read, type and wait: it stays so."""
    assert sum(len(block.splitlines()) for block in blocks("sh")) < 80
