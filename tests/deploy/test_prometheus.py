"""What SREs deploy is checked with Prometheus's own tool, and speaks of metrics that exist."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from schemas.metrics import METRICS

DIRECTORY = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"


@pytest.fixture
def promtool() -> str:
    path = shutil.which("promtool")
    if path is None:
        reason = "promtool is not on PATH (Debian: apt-get install prometheus)"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return path


@pytest.mark.parametrize(
    "arguments",
    [("check", "config", "prometheus.yml"), ("check", "rules", "rules.yml"), ("test", "rules", "rules_test.yml")],
    ids=" ".join,
)
def test_promtool_accepts(promtool: str, arguments: tuple[str, ...]) -> None:
    done = subprocess.run([promtool, *arguments], cwd=DIRECTORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_amtool_accepts() -> None:
    amtool = shutil.which("amtool")
    if amtool is None:
        reason = "amtool is not on PATH (Debian: apt-get install prometheus-alertmanager)"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    file = DIRECTORY.parent / "alertmanager" / "alertmanager.yml"
    done = subprocess.run([amtool, "check-config", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def exposed() -> set[str]:
    suffixes = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
    return {m.name + suffix for m in METRICS for suffix in suffixes[m.kind]}


def test_rules_name_only_metrics_that_exist() -> None:
    text = (DIRECTORY / "rules.yml").read_text()
    named = set(re.findall(r"\byupan_[a-z0-9_]+", text))
    assert named
    assert named <= exposed()


def test_every_alert_has_a_remedy_and_a_case() -> None:
    groups = yaml.safe_load((DIRECTORY / "rules.yml").read_text())["groups"]
    alerts = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    cases = (DIRECTORY / "rules_test.yml").read_text()
    for alert in alerts:
        assert alert["annotations"]["remedy"]
        assert f"alertname: {alert['alert']}" in cases
