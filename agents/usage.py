"""What customers do in the network (#49): streaks of failures of each, and counts for cells and regions.

A rate needs the counts of all customers of an area, who lie on all partitions. So each batch sums them up by check,
area and pane, and sends the sums to the partition of the area (`yupan.internal.rate.v1`), in the same transaction;
there `areas` decides. A window may be judged when every partition has counted all of it: each tells all areas how far
it has come, whenever a pane has passed and its usage is read (`tick/`).

Ledger records `used/MSISDN`: `{"v": 2, "ids": …, "succeeded": {kind: occurred_at}}`; `~ticks/SLIDE`, one a partition:
`{"v": 1, "due": ms}`.
"""

from __future__ import annotations

from functools import partial

from agents.conclude import Conclusions
from agents.event import Event
from agents.ports import Batch, Fired
from agents.shell import Shell
from agents.states import Entry, used_key
from agents.verdicts import AreaRule

RATE = "yupan.internal.rate.v1"
TICKER = "~usage"
"""Who the deadlines of a partition belong to."""
TICK = "tick/"
"""What their names begin with; the length of a pane (ms) follows."""
Sums = dict[tuple[str, str, int], "Sum"]
"""By check, area and pane."""


class Sum:
    """What one batch tells of a pane."""

    __slots__ = ("failed", "first", "newest", "region", "slide", "succeeded")

    def __init__(self, first: Event, slide: int) -> None:
        self.first = first
        self.slide = slide
        self.newest = first.occurred_at
        self.region: str | None = None
        self.succeeded = self.failed = 0


class Usage:
    """Decides the batches of `yupan.usage.v1`, and the deadlines that wait for them."""

    topics = ("yupan.usage.v1",)

    def __init__(self, shell: Shell, conclusions: Conclusions) -> None:
        self.shell = shell
        self.conclusions = conclusions

    def process(self, batch: Batch) -> None:
        """Decide a batch: its fired deadlines, then its events; then send what they sum up to."""
        sums: Sums = {}
        self.shell.run(batch, partial(self._decide, sums), self._fired)
        for (check, area, pane), each in sums.items():
            self._send(batch, check, area, pane, each)

    def _decide(self, sums: Sums, batch: Batch, event: Event) -> None:
        record = event.record
        name = f"usage.{record['kind']}"
        counting = self.conclusions.checks.counting(record["kind"])
        watched = self.conclusions.checks.watching(name)
        if not (counting or watched):
            return
        key = used_key(record["msisdn"])
        if not self.shell.occurs(batch, event, key):
            return
        if watched:
            newest = self._newest(batch, event, key)
            self.conclusions.judge(batch, event, name, {}, {} if newest is None else {name: newest})
        for check_id, rule in counting:
            if record[rule.per] and rule.counts(record):
                _count(sums, check_id, rule, event)
                self._begin_ticking(batch, rule.slide, min(event.occurred_at, batch.now()))

    def _newest(self, batch: Batch, event: Event, key: str) -> Entry | None:
        """The newest success of this kind, in the form of a state."""
        kind, held = event.record["kind"], batch.get(key)
        known = held.get("succeeded", {})
        at: int | None = known.get(kind)
        if event.record["result"] == "OK" and (at is None or event.occurred_at > at):
            at = event.occurred_at
            batch.put(key, {**held, "succeeded": {**known, kind: at}})
        return None if at is None else ["OK", at]

    def _begin_ticking(self, batch: Batch, slide: int, at: int) -> None:
        """At the first event that counts: what came before it is read, but for what is late."""
        if begin_ticking(batch, slide, at):
            self._tell_progress(batch, slide, at - at % slide)

    def _fired(self, batch: Batch, fired: Fired) -> None:
        if not fired.name.startswith(TICK):
            self.conclusions.fired(batch, fired)
            return
        slide, due = int(fired.name.removeprefix(TICK)), fired.due_at + 1
        if all(rule.slide != slide for rule in self.conclusions.checks.areas.values()):
            batch.delete(ticks_key(slide))  # nobody counts by it any more
            batch.delete(counted_key(slide))
            return
        self._tell_progress(batch, slide, due)
        now = batch.now()  # after an outage the ticks that were missed say nothing new: all is read
        tick(batch, slide, max(due + slide, now - now % slide))

    def _tell_progress(self, batch: Batch, slide: int, due: int) -> None:
        """As of `due` all is read, so that all that occurred a pane before is counted, but for what is late."""
        told = {"source": batch.partition, "slide": slide, "until": due - slide, "occurred_at": due}
        counts = {"check": None, "cell": None, "region": None, "pane": None, "succeeded": 0, "failed": 0}
        self.shell.fan_out(batch, RATE, {**told, **counts}, f"{TICKER}|{slide}|{batch.partition}|{due}")

    def _send(self, batch: Batch, check: str, area: str, pane: int, each: Sum) -> None:
        per, _, name = area.partition(":")
        record = {
            "source": batch.partition,
            "slide": each.slide,
            "until": None,
            "check": check,
            "cell": name if per == "cell" else None,
            "region": name if per == "region" else each.region,
            "pane": pane,
            "succeeded": each.succeeded,
            "failed": each.failed,
            "occurred_at": each.newest,
        }
        cause = f"{each.first.source}|{each.first.id}|{check}|{area}|{pane}"
        self.shell.emit(batch, RATE, record, cause, traceparent=each.first.traceparent)


def ticks_key(slide: int) -> str:
    """The ledger key of a partition's next tick."""
    return f"~ticks/{slide}"


def counted_key(slide: int) -> str:
    """The ledger key of how far all partitions have come."""
    return f"~counted/{slide}"


def begin_ticking(batch: Batch, slide: int, at: int) -> bool:
    """Tell all areas how far this partition has come, at the end of the pane of `at` and of each one after it.

    Returns whether that is new.
    """
    if batch.get(ticks_key(slide)) is not None:
        return False
    tick(batch, slide, at - at % slide + slide)
    return True


def tick(batch: Batch, slide: int, due: int) -> None:
    """Arm the tick of `due`, before all that areas have armed for then."""
    batch.put(ticks_key(slide), {"v": 1, "due": due})
    batch.arm(TICKER, f"{TICK}{slide}", due - 1, Usage.topics)


def _count(sums: Sums, check: str, rule: AreaRule, event: Event) -> None:
    place = check, f"{rule.per}:{event.record[rule.per]}", rule.pane(event.occurred_at)
    each = sums.get(place)
    if each is None:
        each = sums[place] = Sum(event, rule.slide)
    if event.record["result"] == "OK":
        each.succeeded += 1
    else:
        each.failed += 1
    if event.occurred_at >= each.newest:
        each.newest = event.occurred_at
        each.region = event.record["region"] or each.region
