"""The wheel carries the four packages with their data, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.house.source import PACKAGES, ROOT, files


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the files in a freshly built wheel."""
    target = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [wheel] = Path(target).glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def test_nothing_but_the_packages(names: set[str]) -> None:
    rooms = {name.split("/")[0] for name in names}
    assert {room for room in rooms if not room.endswith(".dist-info")} == set(PACKAGES)


def test_every_file_of_the_packages(names: set[str]) -> None:
    missing = {path for path in files() if path.split("/")[0] in PACKAGES} - names
    assert not missing


def test_the_licence_and_the_command(names: set[str]) -> None:
    [info] = {name.split("/")[0] for name in names if ".dist-info/" in name}
    assert {f"{info}/licenses/LICENSE", f"{info}/entry_points.txt"} <= names
