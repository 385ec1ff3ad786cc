"""A short selection of the fault harness for every change; `make faults` runs all of it (docs/reliability.md).

`YUPAN_FAULTS_SEED` repeats a run. A machine without Kafka, Java or clickhouse-server skips it.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import PartError
from tests.conftest import absent
from tests.faults.__main__ import chosen, summary
from tests.faults.faults import FAULTS
from tests.faults.ground import Ground
from tests.faults.run import Result, play

ROOT = Path(__file__).resolve().parents[2]
SEED = int(os.environ.get("YUPAN_FAULTS_SEED") or random.randrange(10**6))
SELECTION = ("die_before_commit", "kill_broker", "redeliver")
CUSTOMERS = 150


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    made = Ground()
    try:
        made.__enter__()
    except PartError as error:
        absent(error)
    yield made
    made.__exit__()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SELECTION)
def test_nothing_is_lost_and_nothing_doubled(ground: Ground, name: str) -> None:
    seed = SEED + SELECTION.index(name)
    print(f"again: python -m tests.faults --runs 1 --seed {seed} --fault {name} --customers {CUSTOMERS}")
    result = play(ground, FAULTS[name], seed, CUSTOMERS)
    assert (result.lost, result.doubled) == (0, 0), result.told
    assert result.events > 10 * CUSTOMERS


def test_there_are_faults_enough_and_each_says_what_it_is() -> None:
    assert len(FAULTS) >= 16
    assert all(fault.what.endswith(".") and len(fault.what) < 130 for fault in FAULTS.values())


def test_neighbouring_seeds_have_all_faults_and_a_seed_always_the_same() -> None:
    start = random.randrange(10**6)
    found = [chosen(None, start + number).name for number in range(len(FAULTS))]
    assert sorted(found) == sorted(FAULTS)
    assert chosen(None, start).name == found[0]


def test_the_summary_adds_up() -> None:
    runs = [Result("a", 1, 10, 0, 0, 1.5, 9.0, 1, ""), Result("a", 2, 20, 1, 2, 3.5, 9.0, 1, "")]
    assert json.loads(json.dumps(summary(runs))) == {
        "runs": 2,
        "events": 30,
        "lost": 1,
        "doubled": 2,
        "longest_pause_s": 3.5,
        "by_fault": {
            "a": {"runs": 2, "events": 30, "lost": 1, "doubled": 2, "longest_pause_s": 3.5, "seeds": [1, 2]},
        },
    }


def test_the_command_explains_itself() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults", "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert all(fault.what in done.stdout for fault in FAULTS.values())
    assert "example: python -m tests.faults" in done.stdout
