"""What the house rules look at: the tracked and new files of this checkout, parsed once."""

from __future__ import annotations

import ast
import functools
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("schemas", "agents", "sinks", "streams")


@functools.cache
def files() -> list[str]:
    """The paths that git tracks, or would (nothing ignored), relative to the root; those that exist."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout: the house rules look at tracked files")
    return sorted(path for path in set(listed.stdout.splitlines()) if (ROOT / path).is_file())


def python_files(*rooms: str) -> list[str]:
    """The Python files, of these top-level directories or of all."""
    return [path for path in files() if path.endswith(".py") and (not rooms or path.split("/")[0] in rooms)]


@functools.cache
def text(path: str) -> str:
    """The text of a file; bytes that are no UTF-8 are replaced."""
    return (ROOT / path).read_text(errors="replace")


@functools.cache
def tree(path: str) -> ast.Module:
    """The syntax tree of a Python file."""
    return ast.parse(text(path), path)


def module_of(path: str) -> str:
    """`streams/parts/kafka.py` -> `streams.parts.kafka`; a package's `__init__` is the package."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
