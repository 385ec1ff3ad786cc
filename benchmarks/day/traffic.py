"""A day of a province: the night's export of all customers, then stories by the hour, as busy as a day is.

Most changes are followed, a third nearly are not, some are not (`DRIFT_SHARE`), and now and then an interface is down
for customers of a region (`Outage`): then most are not.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

from benchmarks.day.plan import DAY, HOUR, MINUTE, START, Person, Plan, Told
from benchmarks.day.stories import agree, follow, match, rate, streak
from streams.simulate.changes import NETWORK_PRODUCTS
from streams.simulate.day import busyness
from streams.simulate.drift import HLR
from streams.simulate.stage import DEADLINES, USAGE

MINUTES = DAY // MINUTE
DRIFT_SHARE = 0.04
NEAR_SHARE = 0.3
OUTAGE_SHARE = 0.6
OTHER_PRODUCTS = ("video-vip", "music", "family-sharing", "cloud-disk")
GENERATIONS = ("3g", "4g", "5g")
BARRED = ("suspended", "half_suspended")
CALLER_EVERY = 10
"""Each tenth customer's attempts to call are told by stories of `streak`; the others' are counted by cells."""
CUSTOMERS_A_CELL = 1_500
FEWEST_CELLS = 4
CUSTOMERS_A_FACTOR = 40_000
"""With so many more customers there are once more as many messages in each region."""


class Deals(NamedTuple):
    """A check of kind `match`, and how often a customer's day has a transaction of it."""

    check: str
    owed: str
    paid: str
    two_sided: bool
    daily: float


DEALS = (
    Deals("charging", "crm.charge", "ocs.charge", True, 0.5),
    Deals("charging.recharge", "order.payment", "ocs.credit", True, 0.25),
    Deals("gift", "crm.gift", "ocs.gift", False, 0.15),
)
DAILY = {"status": 0.25, "product": 0.3, "network": 0.12, "opening": 0.06}
"""How often a customer's day has another story, by kind."""
CALLS_DAILY = 0.1
HOURS = 1, 23
"""Between which the network is used."""
FEW_CUSTOMERS, SHORT_HOURS = 10_000, (7, 13)
"""So few use it in some hours only: each minute of it is a slice that is written by itself."""
MERGED = 10
"""So many minutes at most in which nobody uses it are one slice."""


class Outage(NamedTuple):
    """An interface is down: most of what a check expects in a region between two times (ms) does not come."""

    check: str
    region: str
    since: int
    until: int


def outages(rng: Random, regions: Sequence[str], a_check: int = 2) -> list[Outage]:
    """So many for each check of a customer."""
    found = []
    for check in (*DEADLINES, streak.CHECK):
        for region in rng.sample(sorted(regions), a_check):
            since = START + rng.randrange(8 * HOUR, 21 * HOUR)
            found.append(Outage(check, region, since, since + rng.randrange(20, 60) * MINUTE))
    return found


class Traffic:
    """Iterate over it for the deliveries of each minute, in order of time, to the last one that is known."""

    def __init__(self, seed: int, customers: int) -> None:
        self.plan = Plan(seed, customers)
        self._rng = self.plan.rng
        self._customers = customers
        self._busy: dict[str, array[int]] = {
            lane: array("q", bytes(8 * customers)) for lane in ("status", "product", "network", "caller")
        }
        self._held: dict[tuple[str, int], Any] = {}
        """What customers hold, by attribute and number."""
        self._owed: dict[str, float] = {}
        self._hours = HOURS if customers >= FEW_CUSTOMERS else SHORT_HOURS
        self._outages = outages(self._rng, {self.plan.people[n].region for n in range(customers)})
        self._stories = self._make_stories()
        self._areas = list(self._make_areas())
        for area in self._areas:
            self.plan.drift(area.drift())

    def _make_areas(self) -> Iterator[rate.Area]:
        plan, cells = self.plan, max(FEWEST_CELLS, self._customers // CUSTOMERS_A_CELL)
        people = [plan.people[number] for number in range(self._customers) if number % CALLER_EVERY]
        for cell in range(cells):
            name, region = f"460-01-{cell:05d}", people[cell].region
            yield rate.Area(rate.CONNECT, name, region, people[cell::cells], self._rng, self._hours, 1)
        for region in sorted({person.region for person in people}):
            times = max(1, self._customers // CUSTOMERS_A_FACTOR)
            members = [person for person in people if person.region == region]
            yield rate.Area(rate.SMS, region, region, members, self._rng, self._hours, times)

    def __iter__(self) -> Iterator[tuple[int, list[Told]]]:
        """Slices: the end of one (ms), and what is delivered in it. What comes after midnight is still told."""
        merged: list[Told] = []
        for number, (minute, told) in enumerate(self._minutes()):
            network = any(one.topic == USAGE for one in told)
            if merged and (network or number % MERGED == 0):
                yield minute * MINUTE, merged
                merged = []
            if network:
                yield (minute + 1) * MINUTE, told
            else:
                merged += told
        yield self.plan.last, merged

    def _minutes(self) -> Iterator[tuple[int, list[Told]]]:
        first = START // MINUTE
        for minute in range(MINUTES):
            self._tell(minute)
            yield first + minute, self.plan.take(first + minute)
        for late in self.plan.ahead():
            yield late, self.plan.take(late)

    def _tell(self, minute: int) -> None:
        if minute < 60:
            for number in range(minute, self._customers, 60):
                self._export(START + minute * MINUTE, self.plan.people[number])
            return
        for area in self._areas:
            area.tell(self.plan, minute)
        shape = busyness(minute / 60) / MINUTES
        for name, (story, daily) in self._stories.items():
            self._owe(name, story, daily * shape, minute)
        first, last = (hour * 60 for hour in self._hours)
        if minute in range(first, last):
            self._owe("caller", self._caller, CALLS_DAILY / (last - first), minute)

    def _owe(self, name: str, story: Callable[[int], None], share: float, minute: int) -> None:
        """Tell a story as often as is due by now, `share` being that of customers who have one in this minute."""
        self._owed[name] = self._owed.get(name, 0.0) + share * self._customers
        while self._owed[name] >= 1:
            self._owed[name] -= 1
            story(START + minute * MINUTE + self._rng.randrange(MINUTE))

    def _make_stories(self) -> Mapping[str, tuple[Callable[[int], None], float]]:
        deals = {deal.check: (lambda at, deal=deal: self._deal(deal, at), deal.daily) for deal in DEALS}
        others = {
            "status": self._status,
            "product": self._product,
            "network": self._network,
            "opening": self._opening,
        }
        return {**deals, **{name: (story, DAILY[name]) for name, story in others.items()}}

    def _export(self, at: int, person: Person) -> None:
        """What customer care and the network hold of everybody, at night."""
        self.plan.state(at, person, "crm.status", "active")
        self.plan.state(at + self._rng.randrange(MINUTE), person, "hlr.status", "active")

    # --- who, and how it goes

    def _idle(self, lane: str, at: int) -> Person | None:
        busy, step = self._busy[lane], CALLER_EVERY if lane == "caller" else 1
        for _ in range(20):
            number = self._rng.randrange(0, self._customers, step)
            if busy[number] <= at:
                return self.plan.people[number]
        return None

    def _kind(self, check: str, person: Person, at: int) -> str:
        share = DRIFT_SHARE
        if any(o.check == check and o.region == person.region and o.since <= at < o.until for o in self._outages):
            share = OUTAGE_SHARE
        word = self._rng.random()
        return "drift" if word < share else "near" if word < share + NEAR_SHARE else "usual"

    def _choose(self, check: str, person: Person, at: int, module: Any) -> Any:
        kind = self._kind(check, person, at)
        story = (
            module.in_time if kind == "usual" else self._rng.choice(module.NEAR if kind == "near" else module.DRIFTS)
        )
        self.plan.stories[f"{check}: {story.__name__}"] += 1
        return story

    # --- the stories

    def _deal(self, deal: Deals, at: int) -> None:
        person, amount = self.plan.people[self._rng.randrange(self._customers)], self._rng.randrange(100, 20_000) / 100
        within = DEADLINES[deal.check]
        told = match.Deal(self.plan, person, at, deal.check, deal.owed, deal.paid, within, deal.two_sided, amount)
        self._choose(deal.check, person, at, match)(told)

    def _opening(self, at: int) -> None:
        person, completed = self.plan.people.join(), at + follow.BEFORE
        self._choose(follow.CHECK, person, at, follow)(follow.Opening(self.plan, person, completed))

    def _caller(self, at: int) -> None:
        person = self._idle("caller", at)
        if person is not None:
            story = self._choose(streak.CHECK, person, at, streak)
            row = streak.Row(self.plan, person, at, self._rng.choice(streak.CAUSES))
            self._busy["caller"][person.number] = min(at + story(row), agree.NEVER)

    def _status(self, at: int) -> None:
        person = self._idle("status", at)
        if person is not None:
            old = self._held.get(("status", person.number), "active")
            new, third = self._rng.sample([word for word in ("active", *BARRED) if word != old], 2)
            partner = agree.Partner("hlr.status", "activation", "hlr.status", DEADLINES["activation"])
            self._matter("status", person, at, "crm.status", (old, new, third), [partner], HLR)

    def _product(self, at: int) -> None:
        person = self._idle("product", at)
        if person is None:
            return
        product = self._rng.choice(NETWORK_PRODUCTS + OTHER_PRODUCTS)
        partners = [_serves("vas.subscription", "subscription", product)]
        if product in NETWORK_PRODUCTS:
            partners.append(_serves("hlr.service", "subscription.network", product))
        old = self._held.get((product, person.number))
        self._matter(product, person, at, f"crm.subscription.{product}", (old, not old, None), partners, lane="product")

    def _network(self, at: int) -> None:
        person = self._idle("network", at)
        if person is not None:
            old = self._held.get(("network", person.number))
            new, third = self._rng.sample([word for word in GENERATIONS if word != old], 2)
            within = DEADLINES["sacp-signing"]
            partners = [
                agree.Partner(name, "sacp-signing", name, within) for name in ("sacp.network_type", "hlr.network_type")
            ]
            self._matter("network", person, at, "crm.network_type", (old, new, third), partners)

    def _matter(
        self,
        name: str,
        person: Person,
        at: int,
        reference: str,
        values: tuple[Any, Any, Any],
        partners: list[agree.Partner],
        words: Mapping[Any, Any] | None = None,
        lane: str = "",
    ) -> None:
        """A change that partners follow; a story that cannot be told of it makes room for another."""
        focus = self._rng.choice(partners)
        others = [partner for partner in partners if partner is not focus]
        matter = agree.Matter(self.plan, person, at, reference, *values, focus, others, words or {})
        kind = self._kind(focus.check, person, at)
        stories = {"usual": (agree.in_time,), "near": agree.NEAR, "drift": agree.DRIFTS}[kind]
        for story in self._rng.sample(stories, len(stories)):
            told = story(matter)
            if told is not None:
                self._busy[lane or name][person.number], self._held[name, person.number] = told
                self.plan.stories[f"{focus.check}: {story.__name__}"] += 1
                return


def _serves(system: str, check: str, product: str) -> agree.Partner:
    return agree.Partner(f"{system}.{product}", check, f"{system}.PRODUCT", DEADLINES[check])
