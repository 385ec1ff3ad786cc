"""Whose an anomaly is (#48, #53): what opened under an earlier owner of a number is not shown to the desk of the next.

The anomaly itself goes on, since the systems still differ; its reminder is withdrawn, and no change of it brings it
back.
"""

from __future__ import annotations

from agents.event import Event
from agents.ports import Batch, Fired
from agents.profile import next_moment, owner_since
from agents.reminders import open_reminders, reminders_key
from agents.reminding import Why, withdraw
from agents.shell import Shell
from agents.waiting import Former
from agents.waits import Waits
from schemas.events.customer import TIMES

DEADLINE = "owner"
"""The name of the deadline at which a customer's number gets another owner."""
READS = ("yupan.customer.v1",)
ANOTHER_OWNER = "another_owner"
"""Why a reminder is withdrawn whose anomaly goes on."""


def is_earlier(batch: Batch, msisdn: str, opened_at: int, at: int) -> bool:
    """Whether what opened at `opened_at` is an earlier owner's by now, or by `at`."""
    since = owner_since(batch.get(f"profile/{msisdn}"), max(batch.now(), at))
    return since is not None and opened_at < since


def former(batch: Batch, waits: Waits, name: str, at: int) -> Former | None:
    """The last anomaly of `name`, which may open again at `at`: not an earlier owner's."""
    known = waits.former(name)
    return None if known is None or is_earlier(batch, waits.msisdn, known["opened_at"], at) else known


def stands(batch: Batch, msisdn: str, reminder_id: str) -> bool:
    """Whether the desk is reminded of it."""
    return reminder_id in open_reminders(batch.get(reminders_key(msisdn)))


def told(shell: Shell, batch: Batch, event: Event) -> None:
    """Facts of a customer have come: there may be another owner, now or at a moment that they name."""
    if event.record["facts"].keys().isdisjoint(TIMES):
        return
    msisdn, cause_id = event.record["msisdn"], f"{event.source}|{event.id}"
    changed(shell, batch, msisdn, Why(cause_id, event.occurred_at, event.traceparent))


def fired(shell: Shell, batch: Batch, fired: Fired) -> None:
    """A moment has come that the facts of a customer had named."""
    changed(shell, batch, fired.customer, Why(f"{fired.customer}|{fired.due_at}", fired.due_at))


def changed(shell: Shell, batch: Batch, msisdn: str, why: Why) -> None:
    """There may be another owner; wait for the next moment at which there will be."""
    _withdraw_earlier(shell, batch, msisdn, why)
    moment = next_moment(batch.get(f"profile/{msisdn}"), max(batch.now(), why.at))
    if moment is not None:
        batch.arm(msisdn, DEADLINE, moment, READS)


def _withdraw_earlier(shell: Shell, batch: Batch, msisdn: str, why: Why) -> None:
    """Withdraw the reminders of all that is an earlier owner's. `why`: its id is that of what has changed the owner."""
    held = open_reminders(batch.get(reminders_key(msisdn)))
    of_anomalies = {name: reminder for name, reminder in held.items() if reminder["kind"] == "ANOMALY"}
    if not of_anomalies:
        return
    waits = Waits(batch, msisdn)
    for reminder_id, reminder in of_anomalies.items():
        wait = waits.get(waits.find(reminder["source_id"]) or "")
        anomaly = None if wait is None else wait["open"]
        opened_at = reminder["occurred_at"] if anomaly is None else anomaly["opened_at"]
        if is_earlier(batch, msisdn, opened_at, why.at):
            cause = why._replace(event_id=f"{reminder_id}|withdrawn|{why.event_id}")
            withdraw(shell, batch, "ANOMALY", msisdn, reminder_id, cause, ANOTHER_OWNER)
