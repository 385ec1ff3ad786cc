"""What always holds, whatever comes: random days of three customers, with files that change, repairs, works and people.

A seed that fails is told; `HISTORIES=10000` draws as many days.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from agents import again, reminders
from agents.conclude import DEADLINE, REPAIR_DEADLINE
from agents.kinds.agree import Agree
from agents.repair import due_of
from agents.rules import Check
from agents.shadow import is_silent
from agents.waiting import Open, Wait
from schemas.errors import RecordError
from schemas.fields import iso
from tests.agents.histories import HISTORIES, SEED
from tests.agents.worlds import ANNA, MIN, NOON, World, check

DAYS = HISTORIES // 2
CUSTOMERS = (ANNA, "8613900139000", "8613700137000")
CHECKS = ("activation", "charging", "opening", "calls")
STATES = (
    ("crm.status", ("active", "suspended", "half_suspended", "closed", "odd")),
    ("hlr.status", ("active", "barred", "barred_outgoing", "absent", None)),
    ("order.opening", ("completed", "cancelled", "accepted")),
    ("ocs.account", ("open", "closed")),
    ("smsc.status", ("active", "blocked")),
)
STEPS = (0, 0.02, 0.5, 1, 5, 11, 20, 70, 300)
"""Minutes until something else happens."""
EARLIER = (0, 0, 0, 0, 1, 15)
"""By so many minutes it comes late."""
OTHER_MAPPING = Agree(
    "activation", 10 * MIN, ("crm.status", "hlr.status"), (("active", "active"), ("suspended", "active"))
)
OTHER_SYSTEMS = Agree(
    "activation", 10 * MIN, ("crm.status", "smsc.status"), (("active", "active"), ("suspended", "blocked"))
)


def files(rng: Random) -> list[Check]:
    """The checks of a day, each of them perhaps another one than is shipped, or away."""
    return [one for name in CHECKS for one in _file(rng, check(name))]


def _file(rng: Random, made: Check) -> Iterator[Check]:
    if made.repair is not None:
        changes = {"per_minute": rng.choice((1, 60)), "per_day": rng.choice((1, 3, 1_000))}
        made = replace(made, repair=replace(made.repair, mode=rng.choice(("on", "on", "dry_run", "off")), **changes))
    alert = made.alert
    others = (
        replace(made, mode=rng.choice(("off", "shadow"))),
        replace(made, severity=rng.choice(("WARNING", "MINOR", "CRITICAL"))),
        replace(made, alert=replace(alert, by_region=not alert.by_region)),
        replace(made, alert=replace(alert, at_least=rng.choice((1, 2, 3)), wait=rng.choice((0, 10_000, 600_000)))),
        replace(made, rule=rng.choice((OTHER_MAPPING, OTHER_SYSTEMS))) if made.id == "activation" else made,
    )
    drawn = rng.randrange(12)
    if drawn < 11:
        yield others[drawn] if drawn < len(others) else made


class Day:
    """A day as a seed says. Times are minutes after noon."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.world = World(*map(check, CHECKS))
        self.minute = 0.0

    def live(self) -> None:
        """Let it pass, and see after each step that all is as it must be."""
        for _ in range(self.rng.randint(5, 60)):
            self.minute += self.rng.choice(STEPS)
            self._step()
            self.hold()
        for _ in range(4):
            self.minute += 60
            self.world.until(self.minute)
            self.hold()
        sent = Counter(line["repair_id"] for line in self.world.of("repair"))
        assert all(count == 1 for count in sent.values())

    def _step(self) -> None:
        come = (self._state, self._amount, self._usage, self._order, self._answer, self._works, self._owner, self._load)
        [step] = self.rng.choices(come, weights=(40, 15, 8, 10, 6, 6, 4, 9))
        with suppress(RecordError):  # a worker dead-letters it
            step(self.minute - self.rng.choice(EARLIER))

    def _customer(self) -> str:
        return self.rng.choice(CUSTOMERS)

    def _state(self, at: float) -> None:
        name, values = self.rng.choice(STATES)
        region = self.rng.choice((None, "A", "B"))
        self.world.state(at, name, self.rng.choice(values), self._customer(), region=region)

    def _amount(self, at: float) -> None:
        name, value = self.rng.choice(("crm.charge", "ocs.charge")), self.rng.choice((10.0, 20.0, -10.0))
        self.world.state(at, name, value, self._customer(), transaction=self.rng.choice("xyz"))

    def _usage(self, at: float) -> None:
        self.world.fail(at, self.rng.choice(("FAILED", "FAILED", "FAILED", "OK")), self._customer())

    def _load(self, at: float) -> None:
        self.world.load(*files(self.rng))

    def _order(self, at: float) -> None:
        if anomalies := self.world.of("anomaly")[-4:]:
            one, kind = self.rng.choice(anomalies), self.rng.choice(("ACKNOWLEDGE", "WITHDRAW", "REPAIR"))
            self.world.order(at, kind, one["anomaly_id"], one["msisdn"])

    def _answer(self, at: float) -> None:
        if repairs := self.world.of("repair")[-3:]:
            one, outcome = self.rng.choice(repairs), self.rng.choice(("DONE", "REFUSED", "FAILED"))
            self.world.feed(
                "yupan.repair-result.v1", at, repair_id=one["repair_id"], msisdn=one["msisdn"], outcome=outcome
            )

    def _works(self, at: float) -> None:
        begins = self.minute + self.rng.choice((-60, -10, 0, 30))
        ends = begins + self.rng.choice((30, 120))
        span = {"starts_at": iso(NOON + round(begins * MIN)), "ends_at": iso(NOON + round(ends * MIN))}
        what = {"systems": self.rng.choice((["hlr"], ["crm", "ocs"])), "regions": self.rng.choice(([], ["A"]))}
        action = self.rng.choice(("PLANNED", "CHANGED", "CANCELLED"))
        said = {"cutover_id": self.rng.choice(("w-1", "w-2")), "title": {"zh": "割接", "en": "Works"}, "action": action}
        self.world.feed("yupan.cutover.v1", at, **said, **what, **span)

    def _owner(self, at: float) -> None:
        fact = self.rng.choice(("opened_at", "owner_changed_at", "left_at"))
        since = NOON + round((self.minute + self.rng.choice((0, -1, 30))) * MIN)
        self.world.feed("yupan.customer.v1", at, msisdn=self._customer(), facts={fact: iso(since)})

    # --- what holds

    def hold(self) -> None:
        """Assert all that must be so at any moment."""
        incidents, works = Counter[str](), Counter[str]()
        for msisdn, name, wait in self._waits():
            self._is_looked_after(msisdn, name, wait)
            anomaly = wait["open"]
            if anomaly is None or is_silent(anomaly):
                continue
            if "cutover" in anomaly:
                works[anomaly["cutover"]] += 1
            else:
                incidents[_incident(name, wait, anomaly)] += 1
        self._are_counted(incidents)
        closings = {key: sum(still for _, still in one["checks"].values()) for key, one in self._records("~closing/")}
        assert {key: count for key, count in closings.items() if count} == works
        self._stand_for_something()

    def _is_looked_after(self, msisdn: str, name: str, wait: Wait) -> None:
        """What is to come has its deadline."""
        armed, anomaly = self.world.replay.worlds[0].armed, wait["open"]
        if wait["due"] is not None:
            assert armed[msisdn, DEADLINE + name] == wait["due"]
        elif anomaly is not None:
            assert (msisdn, again.DEADLINE + name) in armed
        if (look := due_of(anomaly)) is not None:
            assert armed[msisdn, REPAIR_DEADLINE + name] == look

    def _are_counted(self, wanted: Counter[str]) -> None:
        """An incident knows how many are open, by severity, and when to look again."""
        armed, found = self.world.replay.worlds[0].armed, Counter[str]()
        for key, incident in self._records("~incident/"):
            found[key] = incident["open"]
            assert sum(incident["severities"].values()) == incident["open"] <= incident["hit"]
            assert armed[key, "incident"] == incident["due"]
        assert +found == wanted

    def _stand_for_something(self) -> None:
        """A reminder of an anomaly is there only as long as that is open."""
        opened = {wait["open"]["id"] for _, _, wait in self._waits() if wait["open"] is not None}
        for _, record in self._records("reminders/"):
            held = reminders.open_reminders(record).values()
            assert {one["source_id"] for one in held if one["kind"] == "ANOMALY"} <= opened

    def _records(self, prefix: str) -> Iterator[tuple[str, Any]]:
        for key, record in self.world.replay.worlds[0].records.items():
            if key.startswith(prefix):
                yield key.removeprefix(prefix), record

    def _waits(self) -> Iterator[tuple[str, str, Wait]]:
        for msisdn, record in self._records("waits/"):
            for name, wait in record["waits"].items():
                yield msisdn, name, wait


def _incident(name: str, wait: Wait, anomaly: Open) -> str:
    region = "" if anomaly.get("everywhere") else wait["region"] or ""
    return f"{name.partition('|')[0]}|region:{region}|{anomaly['cause_code']}"


@pytest.mark.parametrize("part", range(4))
def test_whatever_comes_all_that_is_open_is_counted_shown_and_looked_after(part: int) -> None:
    for number in range(part, DAYS, 4):
        seed = SEED + number
        try:
            Day(seed).live()
        except Exception as error:
            raise AssertionError(f"the day of seed {seed}") from error
