"""What a run writes, from its seed, and what must come of it whatever happens to workers, brokers and ClickHouse.

Every customer is a small story with a known end. The ends do not depend on when something arrives: a deadline falls
due in the first seconds of the run with nothing on its way that could settle it, or long after the run. Facts and
lists are written in the first stage, the calls that depend on them in the second: Kafka orders nothing between topics.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

from schemas.codec import codecs
from schemas.headers import REROUTED, Headers, cloud_event
from schemas.partition import partition_of

PARTITIONS = 4
WITHIN = 7_200_000
"""Deadline of the check `activation` (ms): what does not fall due at once falls due after the run."""
PAID_WITHIN = 900_000
"""Deadline of the check `charging` (ms)."""
OPENED_WITHIN = 600_000
"""Deadline of the check `opening` (ms)."""
WINDOW = 36_000_000
"""Window of the check `network-connect-rate` (ms): none passes during a run, so that all counts stay to be compared."""
DEADLINES = {"activation": WITHIN, "network-connect-rate": WINDOW}
REPAIRS = {"charging.recharge": "on"}
"""Its anomalies never end in a run, so that each is repaired, once."""
DUE_MS = 5_000
"""Deadlines fall due up to so long after the run's start."""
STATE, CALL, CONTACT, USAGE = "yupan.state.v1", "yupan.call.v1", "yupan.contact.v1", "yupan.usage.v1"
COMMAND = "yupan.command.v1"
CUSTOMER, LIST, TICKET, TASK = "yupan.customer.v1", "yupan.list.v1", "yupan.ticket.v1", "yupan.retention-task.v1"
PHASES = (
    ("IVR_ENTERED", None),
    ("QUEUED", None),
    ("OFFERED", "A"),
    ("ANSWERED", "A"),
    ("TRANSFERRED", "B"),
    ("ENDED", "B"),
)
BROKEN = ("not_avro", "unknown_schema", "wrong_key", "bad_value", "wrong_partition", "fine")
"""Why a record cannot be used; `fine`: it is on a wrong partition for the first time, and is sent on."""
UNSURE = ("anomaly", "pop", "watch")
"""What depends on the order in which the events of one customer come."""
CODECS = codecs()
Known = Counter[tuple[str, ...]]


class Line(NamedTuple):
    """A record to write. `partition` -1: where its key belongs; `sound`: nothing is wrong with it."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers
    partition: int = -1
    sound: bool = True


UPSTREAM = b"upstream"
"""On records that somebody else has re-routed already: a second time they are dead-lettered."""


@dataclass
class Workload:
    """The lines of both stages, in the order in which they are written, and the answer."""

    stages: list[list[Line]]
    known: Known
    """How often each of these is the end of a story: `("anomaly", msisdn, status)`, `("call", …)`, …"""
    ordered: bool = True
    """Whether the lines of a customer are written in their order; else pops and anomalies may be others."""

    @property
    def count(self) -> int:
        """How many lines there are."""
        return sum(map(len, self.stages))

    def again(self, chance: random.Random, share: float) -> None:
        """Let a producer write part of it once more, later and out of order, under the same ids."""
        for number, lines in enumerate(self.stages):
            repeated = [line for line in lines if line.sound and chance.random() < share]
            chance.shuffle(repeated)
            self.stages[number] = lines + repeated

    def reorder(self, chance: random.Random, window: int) -> None:
        """Let lines overtake each other, as far as `window` lines."""
        self.ordered = False
        for number, lines in enumerate(self.stages):
            places = [place + chance.uniform(0, window) for place in range(len(lines))]
            self.stages[number] = [lines[i] for i in sorted(range(len(lines)), key=places.__getitem__)]


@dataclass
class Stories:
    """Tells the stories of one run. `base`: its start (ms); `tag` makes all its names its own."""

    chance: random.Random
    base: int
    tag: int
    known: Known = field(default_factory=Counter)
    told: tuple[list[list[Line]], list[list[Line]]] = field(default_factory=lambda: ([], []))
    """By stage: what each story writes, in its order."""
    number: int = 0

    def tell(self, customers: int) -> Workload:
        """So many customers, and what is broken on the way."""
        version = f"v{self.tag}"
        self.stage(0, [self.line(LIST, {"list": "campus", "action": "REPLACED", "version": version}, -90_000)])
        for _ in range(customers):
            self.customer(version)
        for number in range(max(customers // 20, len(BROKEN))):
            self.broken(BROKEN[number % len(BROKEN)])
        return Workload([self.mixed(lists) for lists in self.told], self.known)

    def customer(self, version: str) -> None:
        """One customer: states, facts, lists, contacts, tickets, tasks, and for some a call."""
        msisdn = self.msisdn()
        at = self.chance.randrange(-60_000, -1_000)
        segment = self.segment(msisdn, version)
        self.stage(1, list(self.states(msisdn)))
        if self.chance.random() < 0.4:
            self.stage(1, list(self.use(msisdn)))
        if self.chance.random() < 0.15:
            self.ordered(self.msisdn())
        if self.chance.random() < 0.3:
            self.watched(self.msisdn())
        self.stage(1, list(self.care(msisdn, at)))
        self.stage(0, [self.contact(msisdn, at - 100_000 - n) for n in range(self.chance.randrange(3))])
        if self.chance.random() < 0.45:
            self.stage(1, list(self.call(msisdn, segment, at)))
            self.known["watch", msisdn, "withdrawn"] += segment == "NEW"  # it is no first call any more
        if self.chance.random() < 0.15:  # of a stranger and before the list was replaced: it may come in any stage
            self.stage(0, list(self.call(self.msisdn(), None, at - 200_000)))

    # --- stories

    def segment(self, msisdn: str, version: str) -> str | None:
        """Facts and lists, and the segment that they make."""
        kind = self.chance.choice(("CAMPUS", "OUTDATED", "RURAL", "LEFT", "MID_HIGH", "NEW", None))
        entry = {"list": "campus", "action": "ADD", "msisdn": msisdn}
        rural = {**entry, "list": "rural", "name": "王秀英", "station": "南昌县"}
        lines = {
            "CAMPUS": [self.line(LIST, {**entry, "version": version}, -80_000)],
            "OUTDATED": [self.line(LIST, {**entry, "version": "before"}, -80_000)],
            "RURAL": [self.line(LIST, rural, -86_400_000)],
            "LEFT": [self.line(LIST, rural, -86_400_000), self.line(LIST, {**rural, "action": "REMOVE"}, -80_000)],
            "MID_HIGH": [self.line(CUSTOMER, {"msisdn": msisdn, "facts": {"q4_arpu": 412.5}}, -86_400_000)],
            "NEW": [self.line(CUSTOMER, {"msisdn": msisdn, "facts": {"opened_at": self.base - 172_800_000}}, -90_000)],
            None: [self.line(CUSTOMER, {"msisdn": msisdn, "facts": {"brand": "GOTONE"}}, -90_000)],
        }
        self.stage(0, lines[kind])
        self.known["watch", msisdn, "told"] += kind == "NEW"
        return None if kind in ("OUTDATED", "LEFT") else kind

    def states(self, msisdn: str) -> Iterator[Line]:
        """What CRM and HLR say of a customer, and the anomalies that the audit opens and ends."""
        kind = self.chance.choice(
            ("opened", "resolved", "withdrawn", "changed", "in_time", "settling", "charged", "twice", "started", "paid")
        )
        if kind in ("charged", "twice", "started", "paid"):
            tell = {"started": self.started, "paid": self.paid}.get(kind, self.charged)
            yield from tell(msisdn)
            if kind == "twice":
                yield from self.twice(msisdn, given_back=self.chance.random() < 0.5)
            return
        if kind in ("in_time", "settling"):
            yield self.line(STATE, self.state(msisdn, "crm", "status", "active"), -500)
            if kind == "in_time":
                yield self.line(STATE, self.state(msisdn, "hlr", "status", "active"), 1_000)
            return
        due = self.chance.randrange(-120_000, DUE_MS)
        opening = self.line(STATE, self.state(msisdn, "crm", "status", "active"), due - WITHIN)
        yield opening
        self.known["anomaly", msisdn, "OPEN"] += 2 if kind == "changed" else 1
        later = due + self.chance.randrange(1, 1_000)
        if kind == "resolved":
            yield self.line(STATE, self.state(msisdn, "hlr", "status", "active"), later)
            self.known["anomaly", msisdn, "RESOLVED"] += 1
        elif kind == "withdrawn":
            yield self.line(STATE, self.state(msisdn, "crm", "status", "reserved"), later)
            self.known["anomaly", msisdn, "WITHDRAWN"] += 1
        elif kind == "changed":
            yield self.line(STATE, self.state(msisdn, "hlr", "status", "barred"), later)
        if self.chance.random() < 0.3:
            yield opening

    def charged(self, msisdn: str) -> Iterator[Line]:
        """Billed and never taken; charges of no transaction, one of which is repeated, say nothing."""
        charge = self.line(STATE, self.state(msisdn, "ocs", "charge", 19.9), -50_000)
        yield from (charge, self.line(STATE, self.state(msisdn, "ocs", "charge", 5.0), -40_000), charge)
        due = self.chance.randrange(-120_000, DUE_MS)
        told = {**self.state(msisdn, "crm", "charge", 7.5), "transaction": "T-0"}
        yield self.line(STATE, told, due - PAID_WITHIN)
        self.known["anomaly", msisdn, "OPEN"] += 1

    def paid(self, msisdn: str) -> Iterator[Line]:
        """Paid and never credited, which is repaired."""
        due = self.chance.randrange(-120_000, DUE_MS)
        told = {**self.state(msisdn, "order", "payment", 50), "transaction": "T-2"}
        yield self.line(STATE, told, due - PAID_WITHIN)
        self.known["anomaly", msisdn, "OPEN"] += 1
        self.known["anomaly", msisdn, "REPAIRING"] += 1

    def twice(self, msisdn: str, *, given_back: bool) -> Iterator[Line]:
        """Taken twice, which opens at once; perhaps one is given back."""
        due, taken = ({**self.state(msisdn, system, "charge", 20.0), "transaction": "T-1"} for system in ("crm", "ocs"))
        yield from (self.line(STATE, due, -30_000), self.line(STATE, taken, -29_000), self.line(STATE, taken, -28_000))
        self.known["anomaly", msisdn, "OPEN"] += 1
        if given_back:
            yield self.line(STATE, {**taken, "value": -20.0}, -20_000)
            self.known["anomaly", msisdn, "RESOLVED"] += 1

    def ordered(self, msisdn: str) -> None:
        """An anomaly that opens in the first stage, and what a person orders about it in the second."""
        lines = list(self.twice(msisdn, given_back=False))
        self.stage(0, lines)
        trigger = dict(lines[-1].headers)["ce_id"].decode()
        cause = "\0".join(("charging", "T-1", "ocs", trigger, msisdn))
        kind, status = self.chance.choice((("ACKNOWLEDGE", "ACKNOWLEDGED"), ("WITHDRAW", "WITHDRAWN")))
        said = {"command_id": self.name("k"), "kind": kind, "msisdn": msisdn, "staff": "1001"}
        said["anomaly_id"] = hashlib.sha256(cause.encode()).hexdigest()[:32]
        self.stage(1, [self.line(COMMAND, said, -10_000)])
        self.known["anomaly", msisdn, status] += 1

    def started(self, msisdn: str) -> Iterator[Line]:
        """An order is completed, and the number becomes active too late."""
        due = self.chance.randrange(-120_000, DUE_MS)
        yield self.line(STATE, self.state(msisdn, "ocs", "account", "open"), due - OPENED_WITHIN - 1_000)
        yield self.line(STATE, self.state(msisdn, "order", "opening", "completed"), due - OPENED_WITHIN)
        self.known["anomaly", msisdn, "OPEN"] += 1
        if self.chance.random() < 0.5:
            later = due + self.chance.randrange(1, 1_000)
            yield self.line(STATE, self.state(msisdn, "hlr", "status", "active"), later)
            yield self.line(STATE, self.state(msisdn, "crm", "status", "active"), later)
            self.known["anomaly", msisdn, "RESOLVED"] += 1

    def watched(self, msisdn: str) -> None:
        """Somebody on a watch list, by a list or by what is known, and perhaps not any more."""
        entry = {"list": "watch:roaming-bill", "action": "ADD", "msisdn": msisdn}
        ends = self.base + 86_400_000
        fee = self.line(CUSTOMER, {"msisdn": msisdn, "facts": {"monthly_fee": 58}}, -90_000)
        kind = self.chance.choice(("listed", "low", "stopped"))
        begins, over = {
            "listed": (
                [self.line(LIST, {**entry, "valid_to": ends}, -80_000)],
                self.line(LIST, {**entry, "action": "REMOVE"}, -40_000),
            ),
            "low": (
                [fee, self.line(STATE, self.state(msisdn, "ocs", "balance", 40), -50_000)],
                self.line(STATE, self.state(msisdn, "ocs", "balance", 140), -40_000),
            ),
            "stopped": (
                [self.line(STATE, self.state(msisdn, "crm", "status", "suspended"), -50_000)],
                self.line(STATE, self.state(msisdn, "crm", "status", "active"), -40_000),
            ),
        }[kind]
        self.stage(0, begins[:1])
        self.stage(1, begins[1:])
        self.known["watch", msisdn, "told"] += 1
        if self.chance.random() < 0.5:
            self.told[1][-1].append(over)
            self.known["watch", msisdn, "withdrawn"] += 1

    def use(self, msisdn: str) -> Iterator[Line]:
        """Attempts to call, of which three may fail in a row; each counts for its cell."""
        results = self.chance.choice((("OK",), ("FAILED", "OK"), ("FAILED",) * 3, ("FAILED",) * 3 + ("OK",)))
        cell, region = f"c-{self.tag}-{self.chance.randrange(5)}", f"r-{self.tag}"
        told = {"msisdn": msisdn, "kind": "CALL_ATTEMPT", "cell": cell, "region": region}
        at = self.chance.randrange(-60_000, -10_000)
        lines = [self.line(USAGE, {**told, "result": result}, at + 100 * n) for n, result in enumerate(results)]
        yield from lines
        self.known["anomaly", msisdn, "OPEN"] += len(results) >= 3
        self.known["anomaly", msisdn, "RESOLVED"] += len(results) == 4
        if self.chance.random() < 0.3:
            yield lines[0]

    def care(self, msisdn: str, at: int) -> Iterator[Line]:
        """Contacts, a ticket and a task."""
        yield self.contact(msisdn, at - 10_000)
        ticket = {"ticket_id": f"T-{msisdn}", "msisdn": msisdn, "class": "billing"}
        yield self.line(TICKET, {**ticket, "action": "OPENED"}, at - 9_000)
        task = {"task_id": f"K-{msisdn}", "msisdn": msisdn, "product": "5g-199"}
        yield self.line(TASK, {**task, "action": "CREATED"}, at - 8_000)
        if self.chance.random() < 0.5:
            yield self.line(TASK, {**task, "action": "TAKEN", "owner": "store"}, at - 7_000)
            yield self.line(TICKET, {**ticket, "action": "CLOSED"}, at - 6_000)

    def contact(self, msisdn: str, at: int) -> Line:
        """A message."""
        said = {"channel": "WECHAT", "direction": "IN", "kind": "MESSAGE", "text": "我的流量怎么没了?"}
        return self.line(CONTACT, {"contact_id": self.name("wx"), "msisdn": msisdn, **said}, at)

    def call(self, msisdn: str, segment: str | None, at: int) -> Iterator[Line]:
        """A call of several phases: each is tagged, each seat gets one pop."""
        call_id = self.name("c")
        phases = [p for p in PHASES if p[0] != "TRANSFERRED"] if self.chance.random() < 0.6 else PHASES
        for number, (phase, seat) in enumerate(phases):
            record = {"call_id": call_id, "msisdn": msisdn, "phase": phase, "seat": seat}
            yield self.line(CALL, record, at + 100 * number)
            self.known["call", call_id, phase, str(segment)] += 1
            if phase in ("OFFERED", "TRANSFERRED"):
                self.known["pop", f"{call_id}|{seat}", str(segment)] += 1

    def broken(self, kind: str) -> None:
        """A record that cannot be used, or one that came on a wrong partition and is sent on to its own."""
        msisdn = self.msisdn()
        line = self.line(STATE, self.state(msisdn, "crm", "network_type", "5g"), -5_000)
        wrong = (partition_of(msisdn.encode(), PARTITIONS) + 1) % PARTITIONS
        unusable = self.state(msisdn, "fax", "status", "active")
        made = {
            "not_avro": line._replace(value=b"no record at all"),
            "unknown_schema": line._replace(value=b"\0\0\0\0\7" + line.value[5:]),
            "wrong_key": line._replace(key=self.msisdn().encode()),
            "bad_value": line._replace(value=CODECS[STATE].encode({**CODECS[STATE].decode(line.value), **unusable})),
            "wrong_partition": line._replace(partition=wrong, headers=[*line.headers, (REROUTED, UPSTREAM)]),
            "fine": line._replace(partition=wrong),
        }
        self.stage(self.chance.randrange(2), [made[kind]._replace(sound=False)])
        self.known["rerouted", msisdn] += kind == "fine"
        self.known["dead", kind] += kind != "fine"

    # --- lines

    def msisdn(self) -> str:
        """A number that no other story of this or another run has."""
        self.number += 1
        return f"86{self.tag % 10**6:06d}{self.number:06d}"

    def name(self, prefix: str) -> str:
        """A name that nothing else has."""
        self.number += 1
        return f"{prefix}-{self.tag}-{self.number}"

    def state(self, msisdn: str, system: str, attribute: str, value: Any) -> dict[str, Any]:
        """A state without its time."""
        told = {"msisdn": msisdn, "system": system, "attribute": attribute, "value": value}
        return {**told, "region": f"r-{self.tag}"}  # so that incidents are a run's own, too

    def line(self, topic: str, data: dict[str, Any], at: int) -> Line:
        """A record that occurred `at` ms after the run's start, under an id of its own."""
        event = CODECS[topic].event
        record = event.from_json({**data, "occurred_at": self.base + at})
        headers = cloud_event(topic, self.name("e"), event.source_of(record), record["occurred_at"])
        key = event.key(record)
        return Line(topic, None if key is None else key.encode(), CODECS[topic].encode(record), headers)

    def stage(self, number: int, lines: list[Line]) -> None:
        """Write these in this order."""
        self.told[number].append(lines)

    def mixed(self, stories: list[list[Line]]) -> list[Line]:
        """All stories at once, each in its order."""
        placed: list[tuple[float, Line]] = []
        for lines in stories:
            moments = sorted(self.chance.random() for _ in lines)
            placed += zip(moments, lines, strict=True)
        return [line for _, line in sorted(placed, key=itemgetter(0))]
