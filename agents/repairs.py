"""Automatic repair at work (#52): slots are asked for and granted, commands are sent, answers change the anomaly.

What is known of a repair lies in the customer's open anomaly; each step changes it in the transaction that sends what
the step sends. So whatever is killed, a command is sent once. The limits of a check lie on the partition of its id,
ledger record `~repairs/CHECK`: `Limits`.
"""

from __future__ import annotations

from typing import NamedTuple
from zoneinfo import ZoneInfo

from agents import repair
from agents.conclude import INTERNAL_REPAIR, REPAIR_DEADLINE, RESULT, Conclusions
from agents.event import Event
from agents.life import status_of
from agents.ports import Batch, Fired
from agents.reminding import Why
from agents.repair import ANSWERS, Limits, Repairing
from agents.rules import Check
from agents.shadow import SHADOW
from agents.shell import Shell
from agents.verdicts import AreaRule, Decision, since_of
from agents.waiting import Open, Wait
from agents.waits import Waits
from schemas.events.anomaly import REPAIR_ORDERED, REPAIR_SENT

REPAIR = "yupan.repair.v1"


class Mending(NamedTuple):
    """An open anomaly that is being repaired, and where it is."""

    waits: Waits
    name: str
    wait: Wait
    anomaly: Open
    check: Check

    @property
    def state(self) -> str:
        """How far its repair is; empty when nobody has begun."""
        return self.anomaly["repair"]["state"] if "repair" in self.anomaly else ""

    @property
    def words(self) -> dict[str, str]:
        """What the placeholders of its repair stand for."""
        rule = self.check.rule
        return {} if isinstance(rule, AreaRule) else repair.words_of(rule, self.subject, self.anomaly["evidence"])

    @property
    def subject(self) -> str:
        """The product or transaction that it is about."""
        return self.name.partition("|")[2]


class Told(NamedTuple):
    """What brings a step about, and when."""

    at: int
    cause_id: str
    traceparent: str | None


class Repairs:
    """Decides the batches of `yupan.internal.repair.v1` and `yupan.repair-result.v1`, and the slots that have come."""

    topics = (RESULT, INTERNAL_REPAIR)

    def __init__(self, shell: Shell, conclusions: Conclusions, zone: ZoneInfo) -> None:
        """`zone`: whose midnight begins a new day of the limits."""
        self.shell = shell
        self.conclusions = conclusions
        self.zone = zone

    def process(self, batch: Batch) -> None:
        """Decide a batch: the slots and time limits that have come, then questions and answers."""
        self.shell.run(batch, self._decide, self._fired)

    def _decide(self, batch: Batch, event: Event) -> None:
        if event.topic == RESULT:
            self._answered(batch, event)
        elif event.record["asks"]:
            self._grant(batch, event)
        else:
            self._granted(batch, event)

    # --- slots

    def _grant(self, batch: Batch, event: Event) -> None:
        """Where the limits of a check are."""
        check_id = event.record["check"]
        repairing = self._repairing(check_id)
        now, slot = max(event.occurred_at, batch.now()), None
        again: int | None = now + repair.ASK_AGAIN
        if repairing is not None and repairing.mode != "off":  # else by our files, which may be older than the asker's
            key = f"~repairs/{check_id}"
            known: Limits | None = batch.get(key)
            limits, slot = repair.grant(known, now, repairing, self.zone)
            again = repair.next_day(limits["free_at"], self.zone) if slot is None else None
            batch.put(key, limits)
        answer = {**event.record, "asks": False, "slot": slot, "again": again, "occurred_at": now}
        cause = f"{event.source}|{event.id}|slot"
        self.shell.emit(batch, INTERNAL_REPAIR, answer, cause, traceparent=event.traceparent)

    def _granted(self, batch: Batch, event: Event) -> None:
        """Where the customer is."""
        record = event.record
        waits = Waits(batch, record["msisdn"])
        mending = self._found(waits, waits.find(record["anomaly_id"]))
        if mending is None or mending.state != "asked":
            return  # it has healed, or a person was faster
        if record["slot"] is not None:
            if repair.is_stale(mending.anomaly, record["slot"]):
                return
            after = repair.granted(mending.anomaly, record["slot"])
        else:
            self._count(mending, "capped")
            after = repair.capped(mending.anomaly, record["again"] or event.occurred_at + repair.ASK_AGAIN)
        self.conclusions.amend(batch, waits, mending.name, after)

    # --- what was waited for

    def _fired(self, batch: Batch, fired: Fired) -> None:
        """A slot has come, or the time to ask for one again, or that of a repair has passed."""
        waits = Waits(batch, fired.customer)
        name = fired.name.removeprefix(REPAIR_DEADLINE)
        mending = self._found(waits, name)
        if mending is None:
            self._left_alone(waits, name, fired.due_at)
        if mending is None or repair.due_of(mending.anomaly) != fired.due_at:
            return
        wait = mending.wait
        told = Told(fired.due_at, f"{wait['source']}|{wait['trigger']}|{fired.due_at}", wait.get("traceparent"))
        if mending.state in ANSWERS:
            self._failed(batch, mending, mending.state, "", told)
        else:
            self._by_itself(batch, mending, told)

    def _by_itself(self, batch: Batch, mending: Mending, told: Told) -> None:
        """What has waited for its slot is repaired; what had none asks again."""
        repairing, anomaly = self._still_wanted(mending), mending.anomaly
        after = repair.tried(anomaly)
        if repairing is not None and mending.state == "capped":
            why = Why(told.cause_id, told.at, told.traceparent)
            after = self.conclusions.ask_for_repair(batch, mending.check, mending.waits.msisdn, anomaly, why)
        elif repairing is not None and self.shell.acts(batch, told.at, "repair"):
            if repairing.mode == "on":
                repair_id = repair.id_of_slot(anomaly, told.at)
                self._send(batch, mending, repairing, repair_id, REPAIR_SENT, told)
                return
            self._count(mending, "dry_run")
        self.conclusions.amend(batch, mending.waits, mending.name, after)

    def _still_wanted(self, mending: Mending) -> Repairing | None:
        """What may repair it by itself: file, evidence and who takes care may be others than at the opening.

        Nothing is sent into works, of which it may be part by now.
        """
        repairing, anomaly = self._repairing(mending.check.id), mending.anomaly
        if repairing is None or repairing.mode == "off" or status_of(anomaly) == "ACKNOWLEDGED" or "cutover" in anomaly:
            return None
        return repairing if repair.may_help(mending.anomaly, repairing, mending.words) else None

    def _left_alone(self, waits: Waits, name: str, due: int) -> None:
        """Its check was taken away meanwhile: when it is back, people may order the repair anew."""
        wait = waits.get(name)
        if wait is not None and wait["open"] is not None and repair.due_of(wait["open"]) == due:
            waits.set(name, {**wait, "open": repair.given_up(wait["open"])})
            waits.store()

    def _answered(self, batch: Batch, event: Event) -> None:
        """A system says what has become of a command."""
        record = event.record
        waits = Waits(batch, record["msisdn"])
        mending = self._found(waits, waits.find_repair(record["repair_id"]))
        if mending is None or mending.check.repair is None or mending.state != "sent":
            return  # it has healed meanwhile, or was answered before
        if record["outcome"] == "DONE":
            self._count(mending, "done")
            after = repair.done(mending.anomaly, event.occurred_at, mending.check.repair)
            self.conclusions.amend(batch, waits, mending.name, after)
        else:
            told = _told(event)
            told = told._replace(at=max(told.at, repair.sent_at(mending.anomaly)))
            self._failed(batch, mending, record["outcome"], record["text"] or "", told)

    def order(self, batch: Batch, event: Event) -> str:
        """A person orders a repair, without waiting for a slot; what came of it, as of `Conclusions.order`."""
        waits = Waits(batch, event.record["msisdn"])
        mending = self._found(waits, waits.find(event.record["anomaly_id"]))
        if mending is None:
            return "unknown"
        repairing, told, command_id = mending.check.repair, _told(event), event.record["command_id"]
        if repairing is None or not repair.may_order(mending.anomaly, command_id, told.at):
            return "impossible"
        told = told._replace(at=max(told.at, since_of(mending.anomaly)))
        on_its_way = mending.state in ("sent", "done")
        young = self.shell.acts(batch, event.occurred_at, "repair")
        if on_its_way or not young or not repair.is_whole(repairing, mending.words):
            self.conclusions.amend(batch, waits, mending.name, repair.judged(mending.anomaly, told.at))
            return "impossible"
        repair_id = repair.id_of_order(mending.anomaly, command_id)
        self._send(batch, mending, repairing, repair_id, f"{REPAIR_ORDERED}{event.record['staff']}", told)
        return "done"

    # --- what follows

    def _found(self, waits: Waits, name: str | None) -> Mending | None:
        """What is open under this name, of a check that is in force and whose rule has opened it."""
        wait = None if name is None else waits.get(name)
        if name is None or wait is None or wait["open"] is None:
            return None
        check = self.conclusions.checks.by_id.get(name.partition("|")[0])
        if check is None or isinstance(check.rule, AreaRule) or not waits.fits(check):
            return None
        return Mending(waits, name, wait, wait["open"], check)

    def _send(
        self, batch: Batch, mending: Mending, repairing: Repairing, repair_id: str, reason: str, told: Told
    ) -> None:
        after = repair.sent(mending.anomaly, repair_id, told.at, repairing)
        record = repair.command(after, repairing, mending.words, mending.waits.msisdn, told.at)
        self.shell.emit(batch, REPAIR, record, record["repair_id"], traceparent=told.traceparent)
        self._count(mending, "sent")
        self._amend(batch, mending, after, reason, told)

    def _failed(self, batch: Batch, mending: Mending, what: str, text: str, told: Told) -> None:
        answer = ANSWERS[what]
        self._count(mending, answer.state)
        said = f"{answer.reason}: {text}" if text else answer.reason
        after = repair.failed(mending.anomaly, mending.check.severity, answer.state, said)
        self._amend(batch, mending, after, answer.reason, told)

    def _amend(self, batch: Batch, mending: Mending, after: Open, reason: str, told: Told) -> None:
        decision = Decision(
            mending.subject,
            status_of(after),
            told.at,
            reason,
            after,
            after["evidence"],
            mending.wait["trigger"],
            mending.wait["region"],
            told.cause_id,
            told.traceparent,
        )
        self.conclusions.amend(batch, mending.waits, mending.name, after, decision)

    def _repairing(self, check_id: str) -> Repairing | None:
        """What may repair by itself what a check has opened; in shadow nothing may."""
        check = self.conclusions.checks.by_id.get(check_id)
        return None if check is None or check.mode == SHADOW else check.repair

    def _count(self, mending: Mending, outcome: str) -> None:
        self.shell.counts.count("yupan_repairs", check=mending.check.id, outcome=outcome)


def _told(event: Event) -> Told:
    return Told(event.occurred_at, f"{event.source}|{event.id}", event.traceparent)
