"""The cases that a check's file carries, run through the same agents as everything else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from agents.case_files import START, Case
from agents.replay import Input, Line, Replay
from agents.rules import Check, Checks
from agents.shadow import ON
from agents.watch_files import WatchList
from schemas.fields import iso


def differences(check: Check | WatchList) -> list[str]:
    """One readable line for each case of `check` that is decided otherwise than it expects."""
    found = []
    for case in check.cases:
        expected = [_said(START + one.at, one.status, one.evidence) for one in case.expect]
        lines = replay_case(check, case)
        # evidence is compared where the case states it
        stated = [one.evidence is not None for one in case.expect] + [False] * len(lines)
        got = [
            _said(line["at"], line["status"], line["evidence"] if told else None)
            for line, told in zip(lines, stated, strict=False)
        ]
        if got != expected:
            where = f"{check.file}:{case.line}: {case.name}"
            found.append(f"{where}\n  expected {_listed(expected)}\n  got      {_listed(got)}")
    return found


def replay_case(check: Check | WatchList, case: Case) -> list[Line]:
    """The changes of status, or of reminders, that `check` alone decides on the events of a case, as if it were on.

    Nothing is repaired, whatever YUPAN_REPAIRS says: what a case expects stands in the file, and that does not.
    """
    is_watch, check = isinstance(check, WatchList), replace(check, mode=ON)
    replay = Replay(Checks([], [check]) if isinstance(check, WatchList) else Checks([replace(check, repair=None)]))
    lines: list[Line] = []
    for number, step in enumerate(case.steps):
        record = step.event()
        for time in range(step.times):
            event_id = step.id if step.times == 1 else f"{number}.{time}"
            lines += replay.feed(Input(step.topic, record, event_id, step.source))
    lines += replay.finish(START + case.until)
    return _of_reminders(lines) if is_watch else [line for line in lines if line["kind"] == "anomaly"]


def _of_reminders(lines: list[Line]) -> list[Line]:
    """Each change of a reminder, with what became of it as `status`."""
    seen: set[str] = set()
    found = []
    for line in lines:
        new = line["reminder_id"] not in seen
        seen.add(line["reminder_id"])
        found.append({**line, "status": "withdrawn" if "withdrawn" in line else "opened" if new else "changed"})
    return found


def _said(at: int | str, status: str, evidence: Mapping[str, str] | None) -> str:
    text = f"{status} at {at if isinstance(at, str) else iso(at)}"
    return text if evidence is None else f"{text} {dict(sorted(evidence.items()))}"


def _listed(said: list[str]) -> str:
    return "; ".join(said) or "nothing"
