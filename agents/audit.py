"""The audit (#48): every state that changes is compared with what the other systems hold.

Thin: it reads the ledger, asks `states` and the kinds of checks, and hands on what they decide.
Ledger record `waits/MSISDN`: `{"v": 1, "waits": {"activation": Wait, "subscription|volte": Wait}}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents import anomalies, reminders
from agents.event import Event
from agents.ports import Batch, Fired
from agents.rules import Check, Checks
from agents.shell import Shell
from agents.states import MOST_STATES, apply, held, occur, occurrences_key, states_key
from agents.texts import short
from agents.verdicts import Change, Decision, Outcome, Verdict, Wait
from schemas.errors import RecordError
from schemas.events.reminder import reminder_key
from schemas.events.state import OCCURRENCES

DEADLINE = "check/"
"""What the names of our deadlines begin with; `|PRODUCT` follows the check's id where there is one."""


class Audit:
    """Decides the batches of `yupan.state.v1`. `checks` may be replaced between two batches."""

    def __init__(self, shell: Shell, checks: Checks) -> None:
        self.shell = shell
        self.checks = checks

    def process(self, batch: Batch) -> None:
        """Decide a batch: its fired deadlines, then its events."""
        self.shell.run(batch, self._decide, self._fired)

    def _decide(self, batch: Batch, event: Event) -> None:
        record = event.record
        attribute = record["attribute"]
        if attribute in OCCURRENCES:
            self._occurrence(batch, event)
            return
        key = states_key(record["msisdn"])
        before = held(batch.get(key))
        name = f"{record['system']}.{attribute}"
        if name not in before and len(before) >= MOST_STATES:
            raise RecordError("too_large", f"of one customer at most {MOST_STATES} are kept", "attribute")
        after, what = apply(before, name, event)
        if what != "new":
            self._ignored(event, what)
            return
        batch.put(key, {"v": 1, "held": after})
        watching = self.checks.watching(name)
        if watching:
            waits = _Waits(batch, record["msisdn"])
            for check, subject in watching:
                change = Change(name, subject, before, after, event, record["msisdn"])
                waits_for = _name(check, subject)
                outcome = check.rule.judge(change, waits.get(waits_for))
                self._conclude(batch, check, waits, waits_for, outcome)
            waits.store()

    def _ignored(self, event: Event, what: str) -> None:
        if what == "older":
            self.shell.counts.count("yupan_late", system=event.record["system"])
        else:
            self.shell.counts.count("yupan_duplicates", topic=event.topic)

    def _occurrence(self, batch: Batch, event: Event) -> None:
        """Each counts unless its id repeats; the checks that read them come with the kind `match`."""
        key = occurrences_key(event.record["msisdn"])
        known = batch.get(key)
        now = batch.now() if self.shell.intake.events_clock else event.arrived_at
        ids, repeated, dropped = occur({} if known is None else known["ids"], event, now)
        if repeated:
            self._ignored(event, "repeated")
            return
        if dropped:
            self.shell.counts.count("yupan_ids_dropped", dropped, topic=event.topic)
        batch.put(key, {"v": 1, "ids": ids})

    def _fired(self, batch: Batch, fired: Fired) -> None:
        """A deadline has passed. One that nobody waits for any more is no news."""
        name = fired.name.removeprefix(DEADLINE)
        check_id, _, subject = name.partition("|")
        check = self.checks.by_id.get(check_id)
        waits = _Waits(batch, fired.customer)
        wait = waits.get(name)
        if wait is None or wait["open"] is not None or wait["due"] != fired.due_at:
            return
        if check is None:  # its file was taken away while it waited
            waits.set(name, None)
        else:
            states = held(batch.get(states_key(fired.customer)))
            outcome = check.rule.fall_due(fired.customer, subject, states, wait)
            self._conclude(batch, check, waits, name, outcome)
        waits.store()

    def _conclude(self, batch: Batch, check: Check, waits: _Waits, name: str, outcome: Outcome) -> None:
        """Keep what is waited for, arm or disarm its deadline, send what is decided."""
        if outcome.verdict is Verdict.NOT_APPLICABLE:
            self.shell.counts.count("yupan_not_applicable", check=check.id)
        before = waits.get(name)
        if outcome.wait is not before:
            waits.set(name, outcome.wait)
            due = _running(outcome.wait)
            if due is not None:
                batch.arm(waits.msisdn, DEADLINE + name, due, check.rule.reads)
            elif _running(before) is not None:
                batch.disarm(waits.msisdn, DEADLINE + name)
        for decision in outcome.decisions:
            self._send(batch, check, waits.msisdn, decision)

    def _send(self, batch: Batch, check: Check, msisdn: str, decision: Decision) -> None:
        """The anomaly, then its reminder."""
        anomaly = anomalies.anomaly_record(check, msisdn, decision)
        self.shell.emit(batch, anomalies.TOPIC, anomaly, anomalies.event_id(decision), traceparent=decision.traceparent)
        if decision.changes_status:
            self.shell.counts.count("yupan_anomalies", check=check.id, status=decision.status)
        self._remind(batch, check, anomaly, decision)

    def _remind(self, batch: Batch, check: Check, anomaly: Mapping[str, Any], decision: Decision) -> None:
        """The desk's reminder opens, changes and ends with its anomaly."""
        reminder = reminders.of_anomaly(anomaly, check.title)
        msisdn, event_id = anomaly["msisdn"], f"{anomalies.event_id(decision)}|reminder"
        key = reminders.reminders_key(msisdn)
        known = batch.get(key)
        if decision.status == "OPEN":
            action = "opened" if decision.changes_status else "changed"
            newer, dropped = reminders.with_reminder(known, short(reminder))
            if dropped:
                self.shell.counts.count("yupan_reminders", dropped, kind="ANOMALY", action="dropped")
            batch.put(key, newer)
            self.shell.emit(batch, reminders.TOPIC, reminder, event_id, traceparent=decision.traceparent)
        else:
            action = "withdrawn"
            left = reminders.without_reminder(known, reminder["reminder_id"])
            if left is None:
                batch.delete(key)
            else:
                batch.put(key, left)
            why = f"{decision.status}: {decision.reason}"
            self.shell.withdraw(
                batch,
                reminders.TOPIC,
                reminder_key(reminder),
                event_id,
                decision.at,
                why,
                customer=msisdn,
                traceparent=decision.traceparent,
            )
        self.shell.counts.count("yupan_reminders", kind="ANOMALY", action=action)


class _Waits:
    """What the checks of one customer wait for, read when first asked and stored once."""

    def __init__(self, batch: Batch, msisdn: str) -> None:
        self.msisdn = msisdn
        self._batch = batch
        self._key = f"waits/{msisdn}"
        record = batch.get(self._key)
        self._stored: Mapping[str, Wait] = {} if record is None else record["waits"]
        self._waits = self._stored

    def get(self, name: str) -> Wait | None:
        return self._waits.get(name)

    def set(self, name: str, wait: Wait | None) -> None:
        rest = {other: known for other, known in self._waits.items() if other != name}
        self._waits = rest if wait is None else {**rest, name: wait}

    def store(self) -> None:
        if self._waits is self._stored:
            return
        if self._waits:
            self._batch.put(self._key, {"v": 1, "waits": self._waits})
        elif self._stored:
            self._batch.delete(self._key)


def _name(check: Check, subject: str) -> str:
    return f"{check.id}|{subject}" if subject else check.id


def _running(wait: Wait | None) -> int | None:
    """When a wait inside its deadline is due."""
    return wait["due"] if wait is not None and wait["open"] is None else None
