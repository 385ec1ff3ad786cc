"""A full export of one system over the wire: what has drifted without telling is found (#48)."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.e2e.kit import Live, msisdn, now_ms, state

STATE, ANOMALY, ALERT, BASELINE = (f"yupan.{name}.v1" for name in ("state", "anomaly", "alert", "internal.baseline"))


def export(directory: Path, rows: list[tuple[str, str]], at: int) -> Path:
    """What the HLR holds, as of `at` (ms)."""
    file = directory / "hlr.csv"
    file.write_text("msisdn,attribute,value\n" + "".join(f"{number},status,{value}\n" for number, value in rows))
    os.utime(file, (at / 1000, at / 1000))
    return file


def test_an_export_shows_what_told_nobody(stack: Live, tmp_path: Path) -> None:
    drifted, sound, newer = (msisdn() for _ in range(3))
    at = now_ms()
    for number in (drifted, sound, newer):
        stack.publish(STATE, state(number, "crm", "status", "active", at - 20_000))
        stack.publish(STATE, state(number, "hlr", "status", "active", at - 19_500))
    stack.publish(STATE, state(newer, "hlr", "status", "active", at))
    stack.settle()
    anomalies, states, told = stack.mark(ANOMALY), stack.mark(STATE), stack.mark(BASELINE)
    file = export(tmp_path, [(drifted, "barred"), (sound, "active"), (newer, "barred")], at - 10_000)
    answer = stack.yupan("import", "states", str(file), "--set", "system=hlr", "--snapshot", "--json")
    assert answer.code == 0, answer.err
    assert {s.record["reason"] for s in stack.read(STATE, states)} == {"snapshot"}
    ends = stack.read(BASELINE, told)
    assert [(s.partition, s.record["system"], s.record["rows"]) for s in sorted(ends, key=lambda s: s.partition)] == [
        (partition, "hlr", 3) for partition in range(stack.settings.partitions)
    ]
    opened = stack.read(ANOMALY, anomalies, lambda seen: any(s.record["msisdn"] == drifted for s in seen))
    mine = [s.record for s in opened if s.record["msisdn"] in (drifted, sound, newer)]
    assert [(a["msisdn"], a["status"], a["cause_code"]) for a in mine] == [(drifted, "OPEN", "cutover")]


def test_a_complete_export_shows_what_it_leaves_out(stack: Live, tmp_path: Path) -> None:
    lost, kept, younger = (msisdn() for _ in range(3))
    at = now_ms()
    for number in (lost, kept):
        stack.publish(STATE, state(number, "crm", "status", "active", at - 20_000))
        stack.publish(STATE, state(number, "hlr", "status", "active", at - 19_500))
    stack.publish(STATE, state(younger, "hlr", "status", "active", at))
    stack.settle()
    stack.customer(younger, lambda c: c["states"])
    anomalies, states = stack.mark(ANOMALY), stack.mark(STATE)
    words = (
        "import",
        "states",
        str(export(tmp_path, [(kept, "active")], at - 10_000)),
        "--set",
        "system=hlr",
        "--json",
    )
    seen = stack.yupan(*words, "--snapshot", "--complete", "--dry-run")
    assert stack.read(STATE, states) == []
    answer = stack.yupan(*words, "--snapshot", "--complete")
    assert (seen.code, answer.code) == (0, 0), answer.err
    told = {s.record["msisdn"]: s.record for s in stack.read(STATE, states)}
    assert json.loads(seen.out)["left_out"] == json.loads(answer.out)["left_out"] == len(told) - 1
    assert younger not in told  # the export is older
    assert (told[lost]["value"], told[lost]["reason"], told[kept]["value"]) == (None, "snapshot", "active")
    opened = stack.read(ANOMALY, anomalies, lambda seen: any(s.record["msisdn"] == lost for s in seen))
    mine = [s.record for s in opened if s.record["msisdn"] in (lost, kept)]
    assert [(a["msisdn"], a["status"], a["cause_code"]) for a in mine] == [(lost, "OPEN", "cutover")]


def test_what_is_left_out_is_not_told_beside_rejected_rows_or_without_a_snapshot(stack: Live, tmp_path: Path) -> None:
    file = export(tmp_path, [("", "active"), (msisdn(), "active")], now_ms())
    words = ("import", "states", str(file), "--set", "system=hlr", "--complete")
    answer = stack.yupan(*words, "--snapshot", "--dry-run")
    assert answer.code == 1
    assert "nothing is told of what the file leaves out" in answer.err
    answer = stack.yupan(*words)
    assert answer.code == 2
    assert "--complete: goes with --snapshot" in answer.err


def test_a_mapping_without_states_is_no_export(stack: Live, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("msisdn\n8613800138000\n")
    answer = stack.yupan("import", "list", str(file), "--list", "campus", "--snapshot")
    assert answer.code == 2
    assert "--snapshot: the mapping list makes no states" in answer.err
