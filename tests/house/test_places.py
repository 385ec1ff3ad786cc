"""Nothing committed names a path of somebody's machine or the host of a package registry."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.house.source import ROOT, files, text

MACHINE = re.compile(r"/(home|Users)/[A-Za-z0-9_-]+/|(?<![\w.-])/(root)/")
REGISTRY = re.compile(
    r"--(extra-)?index-url[ =]|https?://[^ \"'<>]*/(simple|packages)/|\"resolved\": *\"http", re.IGNORECASE
)


def places_of_this_machine() -> list[str]:
    """Where this checkout and its user live, and the registry hosts that pip is told to use here."""
    wide = {Path("/"), Path(tempfile.gettempdir()), Path("/home"), Path("/usr"), Path("/opt")}
    near = {place for place in (ROOT, ROOT.parent, Path.home()) if place not in wide}
    configured = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    hosts = re.findall(r"https?://(?:[^/@\s'\"]*@)?([^/\s'\":]+)", configured.stdout)
    return [f"{place}/" for place in near] + hosts


def test_no_place_is_named() -> None:
    here = re.compile("|".join(re.escape(place) for place in places_of_this_machine()) or r"(?!)")
    named = [
        f"{path}:{number}"
        for path in files()
        for number, line in enumerate(text(path).splitlines(), 1)
        if MACHINE.search(line) or REGISTRY.search(line) or here.search(line)
    ]
    assert not named


def test_the_patterns_see_such_places() -> None:
    home, index = "/ho" + "me/ada/project", "--index" + "-url https://packages.example/simple"
    assert MACHINE.search(home)
    assert REGISTRY.search(index)
    assert not MACHINE.search("deploy/kafka/home/x")
