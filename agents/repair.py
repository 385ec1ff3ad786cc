"""Automatic repair (#52): what is sent to which system, under which limits, and what an answer means. Pure.

An anomaly that opens asks for a slot; the limits of its check, which all partitions share, give one (`granted`) or say
when to ask again (`capped`). When the slot comes and the anomaly is still open and nobody takes care of it, the command
is sent, once. What is not consistent a while after that, or was refused, is graver than before, and people take over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, time, timedelta
from typing import Any, NamedTuple, TypedDict
from zoneinfo import ZoneInfo

from agents.evidence import word
from agents.incident import RANK
from agents.states import NEVER
from agents.texts import PLACEHOLDER, fill, span_text
from agents.verdicts import Rule
from agents.waiting import Open, Repair
from schemas.events.anomaly import REPAIR_FAILED, REPAIR_REFUSED, REPAIR_UNANSWERED, REPAIR_WITHOUT_EFFECT

EVERY = 3_600_000
"""Milliseconds in which an anomaly is repaired by itself once, however often it opens again."""
ASK_AGAIN = 60_000
"""Milliseconds after which a slot is asked for once more where the check is not known, or not yet."""
MODES = ("off", "dry_run", "on")
"""off: only people order repairs; dry_run: what would be sent is counted; on."""
TOO_MUCH = ".too_much"
WANTED = "wanted."
"""What the name of a value begins with that a system should hold, among the words of arguments."""


@dataclass(frozen=True)
class Repairing:
    """The command of a check, as its file says it. Times are milliseconds."""

    system: str
    command: str
    arguments: Mapping[str, str]
    per_minute: int = 60
    per_day: int = 1_000
    within: int = 300_000
    """After so long without an answer, or after one without effect, it has failed."""
    mode: str = "off"

    def describe(self) -> Mapping[str, object]:
        """The key `repair` as a file says it, for `checks show`; the `mode` is what YUPAN_REPAIRS says."""
        return {**asdict(self), "within": span_text(self.within, "en")}


class Limits(TypedDict):
    """What was granted to a check. Times are milliseconds."""

    v: int
    day: str
    granted: int
    """Slots of that day."""
    free_at: int
    """When the next slot is."""


def grant(known: Limits | None, now: int, repairing: Repairing, zone: ZoneInfo) -> tuple[Limits, int | None]:
    """The next slot, None when the day has none left."""
    slot = now if known is None else max(now, known["free_at"])
    day = f"{datetime.fromtimestamp(slot / 1000, zone):%Y-%m-%d}"
    granted = known["granted"] if known is not None and known["day"] == day else 0
    if granted >= repairing.per_day:
        return {"v": 1, "day": day, "granted": granted, "free_at": slot}, None
    free_at = slot + max(1, 60_000 // repairing.per_minute)
    return {"v": 1, "day": day, "granted": granted + 1, "free_at": free_at}, slot


def words_of(rule: Rule, subject: str, evidence: Mapping[str, str]) -> dict[str, str]:
    """What the placeholders of arguments stand for: the check's words, and what should be held."""
    wanted = {WANTED + name: value for name, value in rule.wanted(subject, evidence).items() if value != word(NEVER)}
    return {**rule.words(subject, evidence), **wanted}


def is_whole(repairing: Repairing, words: Mapping[str, str]) -> bool:
    """Whether all that the command says is known."""
    return all(name in words for text in repairing.arguments.values() for name in PLACEHOLDER.findall(text))


def may_help(anomaly: Open, repairing: Repairing, words: Mapping[str, str]) -> bool:
    """Whether the command is about the side that is wrong, which the cause names, and takes nothing back."""
    cause = anomaly["cause_code"]
    about = cause.startswith(f"{repairing.system}.") and not cause.endswith(TOO_MUCH)
    return about and is_whole(repairing, words)


def next_day(at: int, zone: ZoneInfo) -> int:
    """The midnight after `at`."""
    day = datetime.fromtimestamp(at / 1000, zone).date() + timedelta(days=1)
    return int(datetime.combine(day, time(), zone).timestamp() * 1000)


def asked(anomaly: Open, at: int) -> Open:
    """It waits for a slot."""
    return _in_slot(anomaly, "asked", None, at)


def granted(anomaly: Open, slot: int) -> Open:
    """It has one."""
    return _in_slot(anomaly, "granted", slot, slot)


def capped(anomaly: Open, again: int) -> Open:
    """There is none for it now: it asks again."""
    return _in_slot(anomaly, "capped", again, None)


def held_back(anomaly: Open, at: int) -> Open | None:
    """What has opened again at `at`, and may not ask for a slot before an hour after its last one; None: it may."""
    slot = _begun(anomaly).get("slot")
    return None if slot is None or at >= slot + EVERY else _at(anomaly, "capped", slot + EVERY)


def is_stale(anomaly: Open, slot: int) -> bool:
    """Whether a slot is none that it has asked for, but one of a former life."""
    return slot < (_begun(anomaly).get("slot") or 0)


def tried(anomaly: Open) -> Open:
    """Its time has come, and nothing but counting is done."""
    return _at(anomaly, "dry_run", None)


def sent(anomaly: Open, repair_id: str, at: int, repairing: Repairing) -> Open:
    """The command is on its way."""
    after = judged(_at(anomaly, "sent", at + repairing.within), at)
    command: Repair = {**after["repair"], "id": repair_id, "sent_at": at}
    if anomaly.get("status") == "ACKNOWLEDGED":
        command["taken"] = True
    return {**after, "repair": command, "status": "REPAIRING"}


def id_of_slot(anomaly: Open, slot: int) -> str:
    """The id of the command that is sent in a slot."""
    return f"{anomaly['id']}-{slot}"


def id_of_order(anomaly: Open, command_id: str) -> str:
    """The id of the command that a person has ordered: of the same order it is the same."""
    return f"{anomaly['id']}-{hashlib.sha256(command_id.encode()).hexdigest()[:16]}"


def may_order(anomaly: Open, command_id: str, at: int) -> bool:
    """Whether a person's order of `at` is news: no repeat, not of before the last command nor of a former life."""
    known = max(_begun(anomaly).get("ordered", 0), anomaly.get("since", 0))
    return at > known and id_of_order(anomaly, command_id) != repair_of(anomaly)


def judged(anomaly: Open, at: int) -> Open:
    """An order of `at` was dealt with: neither it nor an earlier one is followed when it comes again."""
    before = _begun(anomaly)
    return {**anomaly, "repair": {**before, "ordered": max(at, before.get("ordered", 0))}}


def done(anomaly: Open, at: int, repairing: Repairing) -> Open:
    """The system says so; whether it is true the next states tell. Its clock may be behind ours."""
    return _at(anomaly, "done", max(at, sent_at(anomaly)) + repairing.within)


def sent_at(anomaly: Open) -> int:
    """When the command was sent that is on its way."""
    return _begun(anomaly).get("sent_at", 0)


def failed(anomaly: Open, severity: str, state: str, text: str) -> Open:
    """It did not help: it is graver, and people take over, who may have done so before."""
    graver = RANK[min(RANK.index(anomaly.get("severity", severity)) + 1, len(RANK) - 1)]
    evidence = {**anomaly["evidence"], "repair": text}
    return {**_unsent(_at(anomaly, state, None)), "severity": graver, "evidence": evidence}


def given_up(anomaly: Open) -> Open:
    """Nobody looks after its repair any more: its check was taken away."""
    after = _at(anomaly, "failed", None)
    return _unsent(after) if anomaly.get("status") == "REPAIRING" else after


def due_of(anomaly: Open | None) -> int | None:
    """When to look after a repair again."""
    return None if anomaly is None else _begun(anomaly)["due"]


def left_of(anomaly: Open) -> Repair | None:
    """What is left of its repair when it opens again: its slot and orders were dealt with in a former life."""
    return None if "repair" not in anomaly else {**anomaly["repair"], "state": "", "due": None, "taken": False}


def repair_of(anomaly: Open) -> str:
    """The id of the newest command that was sent for it; empty when none was."""
    return _begun(anomaly)["id"]


def command(anomaly: Open, repairing: Repairing, words: Mapping[str, str], msisdn: str, at: int) -> dict[str, Any]:
    """The record of `yupan.repair.v1` of a repair that is sent."""
    return {
        "repair_id": anomaly["repair"]["id"],
        "anomaly_id": anomaly["id"],
        "msisdn": msisdn,
        "system": repairing.system,
        "command": repairing.command,
        "arguments": fill(repairing.arguments, words),
        "occurred_at": at,
    }


class Answer(NamedTuple):
    """What a failure is called: the reason of the decision and the state that stays."""

    reason: str
    state: str


ANSWERS = {
    "REFUSED": Answer(REPAIR_REFUSED, "refused"),
    "FAILED": Answer(REPAIR_FAILED, "failed"),
    "sent": Answer(REPAIR_UNANSWERED, "failed"),
    "done": Answer(REPAIR_WITHOUT_EFFECT, "failed"),
}
"""By the outcome of a result, or by the state in which its time has passed."""


def _unsent(anomaly: Open) -> Open:
    """With the status of before its command was sent."""
    return {**anomaly, "status": "ACKNOWLEDGED" if anomaly["repair"].get("taken") else "OPEN"}


def _begun(anomaly: Open) -> Repair:
    """How far its repair is; nobody may have begun."""
    nothing: Repair = {"id": "", "state": "", "due": None}
    return anomaly.get("repair", nothing)


def _in_slot(anomaly: Open, state: str, due: int | None, slot: int | None) -> Open:
    return {**anomaly, "repair": {**_begun(anomaly), "state": state, "due": due, "slot": slot}}


def _at(anomaly: Open, state: str, due: int | None) -> Open:
    return {**anomaly, "repair": {**_begun(anomaly), "state": state, "due": due}}
