"""Workers killed with -9 in the middle of an import while drifts come in: nothing is lost, nothing is doubled."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.kit import ROOT, Live, clean_environ, wait_for
from tests.e2e.test_import import AUGUST, LOG
from tests.importing.reference import call_report

KILLS = 4
SECONDS = 15


def begin(stack: Live, *words: str) -> subprocess.Popen[bytes]:
    """A command that runs beside the test."""
    environ = {**clean_environ(), "PYTHONPATH": str(ROOT), **stack.settings.environ()}
    command = [sys.executable, "-m", "streams", *words]
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def ended(process: subprocess.Popen[bytes], seconds: float = 300) -> Any:
    out, err = process.communicate(timeout=seconds)
    assert process.returncode == 0, err.decode()
    return json.loads(out)


@pytest.mark.timeout(600)
def test_workers_killed_in_mid_import_lose_and_double_nothing(stack: Live, tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    print(f"seed {seed}")
    anomalies, reminders = stack.mark("yupan.anomaly.v1"), stack.mark("yupan.reminder.v1")
    drifts = tmp_path / "drifts.jsonl"
    simulate = begin(
        stack, "simulate", "--seed", "7", "--rate", "60", "--seconds", str(SECONDS), "--customers", "200",
        "--drift", "0.4", "--hour", "10", "--injected", str(drifts), "--json",
    )  # fmt: skip
    importing = begin(stack, "import", "call-log", str(LOG), "--json")
    for _ in range(KILLS):
        time.sleep(chance.uniform(1.0, 4.0))
        worker = stack.worker(chance.choice(["decide", "decide", "history"]))
        worker.kill()
        worker.launch()
    told = ended(simulate)
    assert ended(importing)["rejected"] == 0
    report = stack.yupan("report", "calls", "--by", "priority", *AUGUST, "--json")
    assert report.lines() == [call_report(LOG, "priority")]
    injected = [json.loads(line) for line in drifts.read_text().splitlines()]
    assert len(injected) == told["drifts_injected"] > 0
    wanted = {drift["trigger"] for drift in injected}

    def found() -> bool:
        seen = stack.read("yupan.anomaly.v1", anomalies)
        return wanted <= {s.record["trigger_id"] for s in seen}

    wait_for(found, 60, 0.5, "finding all drifts")
    stack.settle()
    opened = [s.record for s in stack.read("yupan.anomaly.v1", anomalies)]
    statuses = Counter((a["anomaly_id"], a["status"], a["reason"]) for a in opened)
    assert {n for key, n in statuses.items()} == {1}, statuses.most_common(3)
    mine = [a for a in opened if a["trigger_id"] in wanted and a["status"] == "OPEN"]
    assert Counter(a["trigger_id"] for a in mine) == dict.fromkeys(wanted, 1)
    records = Counter((s.key, s.value is None) for s in stack.read("yupan.reminder.v1", reminders))
    assert set(records.values()) == {1}, records.most_common(3)
    assert {key for key, gone in records if gone} <= {key for key, gone in records if not gone}
