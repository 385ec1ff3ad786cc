"""Changes of the CRM's status, which account and network follow, and the drifts, which the network does not follow.

Check `activation` must find each drift and nothing else, so a customer has one change on its way at a time.
"""

from __future__ import annotations

from streams.simulate.calls import call_of
from streams.simulate.contacts import complaint_of
from streams.simulate.stage import Injected, Stage
from streams.simulate.subscribers import Subscriber

HLR = {"active": "active", "suspended": "barred", "half_suspended": "barred_outgoing", "closed": "absent"}
"""The network's word for each status of the CRM (contracts, station `activation`)."""
ACCOUNT = {"active": "open", "suspended": "frozen", "half_suspended": "open", "closed": "closed"}
"""The account's word for each: none of our stations compares it, but a check of one's own may (docs/tutorial.md)."""
_ACCOUNT_MS = (50, 600)
"""So much later than the CRM the account system holds it; never later than the network would."""
NEVER = 2**62
_REPAIRED = 0.5
_MARGIN = 500
"""A drift falls due at least so long (ms) before the end, so that it can be seen to have been found."""


def change(
    stage: Stage, person: Subscriber, at: float, network_at: float, status: str, follows: str | None = None
) -> None:
    """The CRM takes `status` at `at`, the account soon, the network at `network_at` (ms) unless this is a drift."""
    at, before = int(at), person.status
    due_at = at + stage.deadlines["activation"]
    person.status = status
    if stage.rng.random() < stage.drift_share and stage.fits(due_at + _MARGIN):
        trigger = _drift(stage, person, at, due_at, before, follows)
    else:
        trigger = stage.state(person, at, "crm", "status", status, previous=before, follows=follows)
        _network(stage, person, network_at, before, trigger)
        person.busy_until = int(network_at) + 1
    _account(stage, person, min(at + stage.rng.uniform(*_ACCOUNT_MS), network_at), before, trigger)


def _account(stage: Stage, person: Subscriber, at: float, before: str, follows: str) -> None:
    word, held = ACCOUNT[person.status], ACCOUNT.get(before)
    if word != held:
        stage.state(person, at, "ocs", "account", word, previous=held, follows=follows)


def _network(stage: Stage, person: Subscriber, at: float, before: str, follows: str | None) -> None:
    stage.state(person, at, "hlr", "status", HLR[person.status], previous=HLR.get(before), follows=follows)


def _drift(stage: Stage, person: Subscriber, at: int, due_at: int, before: str, follows: str | None) -> str:
    repaired_at = int(due_at + 1000 + stage.span(20, 120))
    repaired = stage.rng.random() < _REPAIRED and stage.fits(repaired_at)

    def entry(trigger: str) -> Injected:
        repair = repaired_at if repaired else None
        return Injected(f"drift-{trigger}", person.msisdn, "activation", trigger, at, due_at, repair)

    trigger = stage.state(person, at, "crm", "status", person.status, previous=before, follows=follows, drift=entry)
    if repaired:
        _network(stage, person, repaired_at, before, None)
    person.busy_until = repaired_at + 1 if repaired else NEVER
    _complain(stage, person, at, due_at)
    return trigger


def _complain(stage: Stage, person: Subscriber, at: int, due_at: int) -> None:
    """Some customers notice: a few at once, most when the drift has been found, some write instead."""
    word = stage.rng.random()
    if word < 0.1:
        stage.later(at + stage.rng.uniform(0.2, 0.9) * (due_at - at), call_of(person, "fault"))
    elif word < 0.62:
        stage.later(due_at + 1500 + stage.span(4, 60), call_of(person, "fault"))
    elif word < 0.8:
        stage.later(due_at + stage.span(2, 40), complaint_of(person))
