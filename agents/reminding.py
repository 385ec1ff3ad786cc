"""Reminders on their way to the desk (#53, #54): kept in the ledger for the next pop, and sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from agents import reminders
from agents.ports import Batch
from agents.shell import Shell
from agents.texts import short
from schemas.events.reminder import reminder_key


class Why(NamedTuple):
    """What caused a change of a reminder."""

    event_id: str
    """The `ce_id` of what is sent."""
    at: int
    """When (ms)."""
    traceparent: str | None = None


def remind(shell: Shell, batch: Batch, reminder: Mapping[str, Any], why: Why, *, opens: bool) -> None:
    """A reminder stands from now on, or is changed. Raises `RecordError` when it does not fit its schema."""
    key = reminders.reminders_key(reminder["msisdn"])
    newer, dropped = reminders.with_reminder(batch.get(key), short(reminder))
    if dropped:
        shell.counts.count("yupan_reminders", dropped, kind=reminder["kind"], action="dropped")
    batch.put(key, newer)
    shell.emit(batch, reminders.TOPIC, reminder, why.event_id, traceparent=why.traceparent)
    shell.counts.count("yupan_reminders", kind=reminder["kind"], action="opened" if opens else "changed")


def withdraw(shell: Shell, batch: Batch, kind: str, msisdn: str, reminder_id: str, why: Why, reason: str) -> None:
    """A reminder has ended; its tombstone says why."""
    key = reminders.reminders_key(msisdn)
    left = reminders.without_reminder(batch.get(key), reminder_id)
    if left is None:
        batch.delete(key)
    else:
        batch.put(key, left)
    shell.withdraw(
        batch,
        reminders.TOPIC,
        reminder_key({"msisdn": msisdn, "reminder_id": reminder_id}),
        why.event_id,
        why.at,
        reason,
        customer=msisdn,
        traceparent=why.traceparent,
    )
    shell.counts.count("yupan_reminders", kind=kind, action="withdrawn")
