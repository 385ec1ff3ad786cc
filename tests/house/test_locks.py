"""The lock files pin every version with hashes and name no place to download from."""

from __future__ import annotations

import re

import pytest

from tests.house.source import ROOT, text

LOCKS = ("requirements.lock", "requirements-dev.lock", "benchmarks/requirements-quix.lock")
# One requirement: name==version, maybe a marker, then its hashes on continued lines.
PINNED = re.compile(r"[a-z0-9._-]+(\[[a-z,]+\])?==[^\s;]+( ; [^\\]+)?( --hash=sha256:[0-9a-f]{64})+")


def requirements(lock: str) -> list[str]:
    """The requirements of a lock file, each on one line."""
    lines = [line for line in text(lock).splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    return joined.splitlines()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_version_has_hashes(lock: str) -> None:
    loose = [line[:80] for line in requirements(lock) if not PINNED.fullmatch(line.strip())]
    assert not loose


@pytest.mark.parametrize("lock", LOCKS)
def test_no_download_address(lock: str) -> None:
    named = [line for line in text(lock).splitlines() if "://" in line or line.startswith("--")]
    assert not named


def test_both_locks_agree() -> None:
    run, dev = (dict(line.split(" ")[0].split("==") for line in requirements(lock)) for lock in LOCKS[:2])
    assert run.items() <= dev.items()


def test_the_lock_holds_what_the_project_asks_for() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = project["project"]["dependencies"] + project["project"]["optional-dependencies"]["embedded"]
    asked += project["dependency-groups"]["build"]
    names = {re.match(r"[A-Za-z0-9._-]+", line)[0].lower() for line in asked}  # type: ignore[index]
    assert names <= {line.split("==")[0].split("[")[0] for line in requirements("requirements.lock")}
