"""Who may import whom, and that nothing lies about unused."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator

from tests.house.source import PACKAGES, ROOT, module_of, python_files, tree

# Found by looking into their directory, or by the person who calls them.
DISCOVERED = ("schemas.events.", "agents.kinds.", "agents.watches.", "streams.commands.")
ENTRY_POINTS = {"streams.cli", "streams.__main__"}
SEAM_TO_FAUST = {"streams/app.py", "streams/engine/transport.py"}


def imported_by(path: str) -> Iterator[str]:
    """The dotted names that a file imports, inside functions, too; `from a import b` gives `a` and `a.b`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def words_of(path: str) -> Iterator[str]:
    """The string literals of a file: a module may be named in one (`python -m`, import by name)."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_the_import_contracts_hold() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 kept, 0 broken" in done.stdout


def test_nobody_imports_by_dots() -> None:
    dotted = [
        f"{path}:{node.lineno}"
        for path in python_files()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not dotted


def test_faust_is_known_to_two_files_only() -> None:
    knowing = {
        path
        for path in python_files(*PACKAGES)
        for name in imported_by(path)
        if name.split(".")[0] in ("faust", "mode")
    }
    assert knowing <= SEAM_TO_FAUST


def test_no_module_is_dead() -> None:
    modules = {module_of(path) for path in python_files(*PACKAGES) if not path.endswith("__init__.py")}
    used: set[str] = set()
    for path in python_files(*PACKAGES):
        used |= (set(imported_by(path)) | set(words_of(path))) - {module_of(path)}
    dead = {name for name in modules - used - ENTRY_POINTS if not name.startswith(DISCOVERED)}
    assert not dead
