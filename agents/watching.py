"""The watch lists at work (#54): whoever tells something of a customer asks here what is to be reminded of now.

Ledger record `watched/MSISDN`: `{"v": 1, "standing": {NAME: [reminder_id, until, words, entry's time, shadow?]},
"again": {NAME: ms}, "cause": [id, ms, traceparent?]}`: what the desk is reminded of (or not: what came in shadow has
True there), when to judge again though nothing comes, and what was the last to change that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from agents import members
from agents.conclude import Conclusions
from agents.event import Event
from agents.ports import Batch, Fired, rearm
from agents.reminding import Why, remind, withdraw
from agents.shadow import SHADOW
from agents.shell import Shell
from agents.texts import fill
from agents.watch import CALLS, NOTHING, Finding, Known, Words, called_key, judged, spoken, with_answered
from agents.watch_files import WatchList
from agents.yaml_reader import LANGUAGES
from schemas.events.customer import TIMES
from schemas.events.list import WATCH
from schemas.fields import iso

DEADLINE = "watch"
"""The name of a customer's deadline, and of a page's."""
READS = ("yupan.list.v1", "yupan.customer.v1", "yupan.state.v1", "yupan.call.v1")
PAGES = ("yupan.internal.list.v1",)
PACE = 50
"""Milliseconds between two pages of a list that was replaced: calls go before."""
Standing = list[Any]


class Cause(NamedTuple):
    """What has told something."""

    id: str
    at: int
    traceparent: str | None = None


class Watching:
    """Opens, changes and withdraws the reminders of watch lists. `zone`: in which their texts tell the time."""

    def __init__(self, shell: Shell, conclusions: Conclusions, zone: ZoneInfo) -> None:
        """`conclusions`: whose checks are in force."""
        self.shell = shell
        self.conclusions = conclusions
        self.zone = zone

    # --- what has come

    def state(self, batch: Batch, event: Event, name: str) -> None:
        """A state of a customer is another one."""
        names = self.conclusions.checks.reminding(name)
        if names and self._may_change(self._known(batch, event), batch, names):
            self._look(batch, event.record["msisdn"], names, _cause(event))

    def _may_change(self, known: Known, batch: Batch, names: Iterable[str]) -> bool:
        """What most changes are spared: nothing stands or is to come, and no rule says that it should."""
        rules = self.conclusions.checks.watches
        if batch.get(standing_key(known.msisdn)) is not None:
            return True
        return any(rules[name].rule.find(known) != NOTHING for name in names)

    def _known(self, batch: Batch, event: Event) -> Known:
        return Known(batch.get, event.record["msisdn"], max(batch.now(), event.occurred_at))

    def facts(self, batch: Batch, event: Event) -> None:
        """Facts of a customer have come."""
        facts, known = event.record["facts"], self._known(batch, event)
        listed = [name for name in known.listed if name.startswith(WATCH)]
        if not facts.keys().isdisjoint(TIMES):  # another owner, perhaps
            names = {*self.conclusions.checks.watches, *listed}
        else:
            names = {name for fact in facts for name in self.conclusions.checks.reminding(f"fact.{fact}")}
        if listed or known.next_moment is not None or self._may_change(known, batch, names):
            self._look(batch, known.msisdn, sorted(names), _cause(event))

    def entry(self, batch: Batch, event: Event, *, is_first: bool) -> None:
        """An entry of a list has come, or its end. `is_first`: nothing was known of this list and customer."""
        name, msisdn = event.record["list"], event.record["msisdn"]
        if name.startswith(WATCH):
            if is_first:
                members.note(batch, name, msisdn)
            self._look(batch, msisdn, (name,), _cause(event))

    def replaced(self, batch: Batch, event: Event) -> None:
        """A list has been replaced: its members are judged anew, page by page."""
        name = event.record["list"]
        if not name.startswith(WATCH):
            return
        last = members.replaced(batch, name, _cause(event))
        begin = max(batch.now(), event.occurred_at)
        for number in range(1, last + 1):
            batch.arm(members.page_key(name, number), DEADLINE, begin + number * PACE, PAGES)
        self._page(batch, name, 0)

    def call(self, batch: Batch, msisdn: str, event: Event, answered: int | None, over: int | None) -> None:
        """A call of a customer was `answered`, or one that was is `over` (ms); None: it is not news."""
        key = called_key(msisdn)
        batch.put(key, with_answered(batch.get(key), answered, over))
        self._look(batch, msisdn, self.conclusions.checks.reminding(CALLS), _cause(event))

    def fired(self, batch: Batch, fired: Fired) -> None:
        """It is time to judge a customer, or the members of a page."""
        if fired.customer.startswith("~"):
            self._page(batch, *members.of_page(fired.customer))
            return
        record = batch.get(standing_key(fired.customer))
        if record is not None:
            cause, _, traceparent = record["cause"]
            due = [name for name, at in record["again"].items() if at <= fired.due_at]
            self._look(batch, fired.customer, due, Cause(f"{cause}|{fired.due_at}", fired.due_at, traceparent))

    def _page(self, batch: Batch, name: str, number: int) -> None:
        cause = Cause(*members.cause(batch, name))
        for msisdn in members.page(batch, name, number):
            self._look(batch, msisdn, (name,), cause)

    # --- what is to be done

    def _look(self, batch: Batch, msisdn: str, names: Iterable[str], cause: Cause) -> None:
        """Judge some watch lists as of now, and do what follows."""
        known = Known(batch.get, msisdn, max(batch.now(), cause.at))
        before = batch.get(standing_key(msisdn)) or _NOTHING
        standing, again = dict(before["standing"]), dict(before["again"])
        gone = [name for name in standing if name not in self.conclusions.checks.watches]  # perhaps off by now
        for name in dict.fromkeys((*names, *gone)):
            found = self._judged(name, known)
            stands = self._follow(batch, name, known, standing.pop(name, None), found, cause)
            if stands is not None:
                standing[name] = stands
            again.pop(name, None)
            if found.again is not None:
                again[name] = found.again
        if standing != before["standing"] or again != before["again"]:
            self._keep(batch, msisdn, before, {"v": 1, "standing": standing, "again": again, "cause": list(cause)})

    def _judged(self, name: str, known: Known) -> Finding:
        """A list without a file has its entries; one that is off has nothing."""
        watch = self.conclusions.checks.watches.get(name)
        if watch is None and name in self.conclusions.checks.files:
            return NOTHING
        return judged(name, None if watch is None else watch.rule, known)

    def _keep(self, batch: Batch, msisdn: str, before: Any, after: Any) -> None:
        if after["standing"] or after["again"]:
            batch.put(standing_key(msisdn), after)
        else:
            batch.delete(standing_key(msisdn))
        rearm(batch, msisdn, DEADLINE, _first(before["again"]), _first(after["again"]), READS)

    def _follow(
        self, batch: Batch, name: str, known: Known, held: Standing | None, found: Finding, cause: Cause
    ) -> Standing | None:
        """Bring the reminder of one list to what was found; what stands then. One that came in shadow stays silent."""
        watch = self.conclusions.checks.watches.get(name)
        silent = [True] if _will_be_silent(held, watch) else []
        if not found.stands:
            if held is None:
                return None
            if silent:
                self._keep_silent(name, known.msisdn, held[0], "withdrawn", cause)
            else:
                why = _why(held[0], "withdrawn", cause)
                withdraw(self.shell, batch, "WATCH", known.msisdn, held[0], why, _ended(held, known.at))
            return None
        words = {} if watch is None else watch.rule.words(known)
        shown = {n: repr(word) for n, word in words.items()}
        told = [found.until, shown, found.entry and found.entry["at"], *silent]
        if held is not None and held[1:] == told:
            return held
        reminder_id = _reminder_id(name, known.msisdn, cause) if held is None else held[0]
        if silent:
            self._keep_silent(name, known.msisdn, reminder_id, "opened" if held is None else "changed", cause)
        else:
            reminder = self._reminder(name, known, words, found, reminder_id, cause)
            why = _why(reminder_id, "opened" if held is None else "changed", cause)
            remind(self.shell, batch, reminder, why, opens=held is None)
        return [reminder_id, *told]

    def _reminder(
        self, name: str, known: Known, words: Words, found: Finding, reminder_id: str, cause: Cause
    ) -> dict[str, Any]:
        """The record of a list's reminder."""
        watch = self.conclusions.checks.watches.get(name)
        return {
            "reminder_id": reminder_id,
            "msisdn": known.msisdn,
            "kind": "WATCH",
            "title": dict.fromkeys(LANGUAGES, name) if watch is None else dict(watch.title),
            **self._texts(watch, words, found.entry or {}),
            "progress": None,
            "severity": "WARNING" if watch is None else watch.severity,
            "expires_at": found.until,
            "source_id": name,
            "occurred_at": cause.at,
        }

    def _keep_silent(self, name: str, msisdn: str, reminder_id: str, would: str, cause: Cause) -> None:
        told = {"kind": SHADOW, "at": iso(cause.at), "check": name, "msisdn": msisdn}
        self.shell.keep_silent(name, {**told, "would": would, "reminder_id": reminder_id})

    def _texts(self, watch: WatchList | None, words: Words, entry: Mapping[str, Any]) -> dict[str, Any]:
        """What the reminder says; what the list's entry says goes before what the list's file does."""
        texts: dict[str, Any] = {"cause": None, "wording": None, "guidance": None}
        if watch is not None:
            said = {language: spoken(words, language, self.zone) for language in LANGUAGES}
            for name in texts:
                text: Mapping[str, str] = getattr(watch, name)
                texts[name] = {lang: fill({lang: text[lang]}, said[lang])[lang] for lang in text}
        for name in ("wording", "guidance"):
            if name in entry:
                texts[name] = {**(texts[name] or {}), **entry[name]}
        return texts


_NOTHING: dict[str, Any] = {"standing": {}, "again": {}, "cause": None}


def standing_key(msisdn: str) -> str:
    """The ledger key of the watch lists that stand for a customer."""
    return f"watched/{msisdn}"


def _cause(event: Event) -> Cause:
    return Cause(f"{event.source}|{event.id}", event.occurred_at, event.traceparent)


def _will_be_silent(held: Standing | None, watch: WatchList | None) -> bool:
    """Settled when it comes: by the mode then."""
    return watch is not None and watch.mode == SHADOW if held is None else is_silent(held)


def is_silent(held: Standing) -> bool:
    """Whether what stands came in shadow."""
    return len(held) > 4


def _first(again: dict[str, int]) -> int | None:
    return min(again.values(), default=None)


def _why(reminder_id: str, action: str, cause: Cause) -> Why:
    return Why(f"{reminder_id}|{action}|{cause.id}", cause.at, cause.traceparent)


def _ended(held: Standing, at: int) -> str:
    """Why a reminder is withdrawn."""
    return "expired" if held[1] is not None and held[1] <= at else "over"


def _reminder_id(name: str, msisdn: str, cause: Cause) -> str:
    """The same cause makes the same reminder, also when it is replayed."""
    digest = hashlib.sha256("\x00".join((name, cause.id, msisdn)).encode()).hexdigest()
    return f"watch-{name.removeprefix(WATCH)}-{digest[:32]}"
