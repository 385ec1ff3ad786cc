"""Small functions, small files, a first sentence in every module, and no print in library code."""

from __future__ import annotations

import ast

from tests.house.source import PACKAGES, python_files, text, tree

MOST_LINES_OF_A_FUNCTION = 60
MOST_LINES_OF_A_FILE = 400


def test_functions_fit_on_a_screen() -> None:
    long = [
        f"{path}:{node.lineno} {node.name} ({lines} lines)"
        for path in python_files()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or 0) - node.lineno + 1) > MOST_LINES_OF_A_FUNCTION
    ]
    assert not long


def test_files_are_short() -> None:
    long = [
        f"{path} ({lines} lines)"
        for path in python_files()
        if (lines := len(text(path).splitlines())) > MOST_LINES_OF_A_FILE
    ]
    assert not long


def test_every_module_says_what_it_is() -> None:
    silent = [
        path
        for path in python_files(*PACKAGES, "benchmarks")
        if text(path).strip() and not ast.get_docstring(tree(path))
    ]
    assert not silent


def test_library_code_does_not_print() -> None:
    prints = [
        f"{path}:{node.lineno}"
        for path in python_files(*PACKAGES)
        if not path.startswith("streams/commands/")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not prints
