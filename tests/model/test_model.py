"""The engine on a model of Kafka: thousands of interleavings with faults; each rule taken out makes it fail.

`YUPAN_MODEL_RUNS` sets how many (1,000); `python -m tests.model --runs 10000 --seed 7` runs more of them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.model.mutations import MUTATIONS, RARE

ROOT = Path(__file__).resolve().parents[2]
RUNS = int(os.environ.get("YUPAN_MODEL_RUNS", "1000"))
SEED = int(os.environ.get("YUPAN_MODEL_SEED", "3"))


def model(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run it in a process of its own: its hash seed belongs to what must be reproducible."""
    command = [sys.executable, "-m", "tests.model", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    print(done.stdout[-20_000:], done.stderr[-5_000:])
    return done


@pytest.mark.timeout(max(300, RUNS // 5))
def test_every_input_is_decided_exactly_once() -> None:
    done = model("--runs", RUNS, "--seed", SEED)
    assert done.returncode == 0
    counted = re.search(r"seed \d+: (\d+) interleavings", done.stdout)
    assert counted is not None
    assert int(counted[1]) >= RUNS


@pytest.mark.parametrize("rule", sorted(MUTATIONS.keys() - RARE))
def test_without_a_rule_the_property_fails(rule: str) -> None:
    done = model("--runs", 600, "--seed", 3, "--no-shrink", "--mutation", rule)
    assert done.returncode == 1
    assert "again: --seed 3 --script" in done.stdout
    assert re.match(rf"(\w+: )?({MUTATIONS[rule].breaks})", done.stdout), done.stdout[:200]


def test_a_run_is_reproducible_from_its_script() -> None:
    """What was found is found again, by the same steps."""
    rule = "keeps_what_a_failed_event_wrote"
    found = model("--runs", 600, "--seed", 3, "--no-shrink", "--mutation", rule)
    again = re.search(r"again: (.*)", found.stdout)
    assert again is not None
    repeated = model(*again[1].split(), "--mutation", rule)
    assert repeated.stdout.split("again: ")[0] == found.stdout.split("again: ")[0]
