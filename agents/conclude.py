"""What follows of a verdict: the wait that is kept, its deadline, the anomaly and its reminder (#48, #53).

What is waited for lies in the ledger record `waits/MSISDN` (`waits`). A check may be in shadow, which is settled when
an anomaly opens (`shadow`), and its file may be replaced by one of another shape: then what the old rule waited for is
dropped when the new one first meets it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents import again, anomalies, life, owners, reminders, shadow
from agents.baseline import Baseline
from agents.cutover import healing
from agents.event import Event
from agents.gone import gone
from agents.joining import Group, belonging, bring, group_of, join
from agents.ports import Batch, Fired, rearm
from agents.reminding import Why, remind, withdraw
from agents.repair import asked, due_of, held_back, may_help, words_of
from agents.rules import Check, Checks, Watch
from agents.shell import Shell
from agents.states import Held, held, states_key
from agents.verdicts import (
    CHECK_CHANGED,
    Change,
    Decision,
    Due,
    Outcome,
    Rule,
    Verdict,
    on_deadline,
    on_event,
    since_of,
)
from agents.waiting import Open, Wait
from agents.waits import Waits
from schemas.masking import mask

CUTOVERS = "~cutovers"
"""The ledger key of the works that this partition knows of (`cutover`)."""
INTERNAL_REPAIR = "yupan.internal.repair.v1"
RESULT = "yupan.repair-result.v1"
COMMAND = "yupan.command.v1"
REPAIR_DEADLINE = "repair/"
"""What the names of deadlines of repairs begin with."""
DEADLINE = "check/"
"""What the names of our deadlines begin with; `|SUBJECT` follows the check's id where there is one."""
MOST_WAITS = 64
"""Waits kept of one customer and check where each transaction has its own."""


class Conclusions:
    """Asks the rules and does what they say. `checks` may be replaced between two batches."""

    def __init__(self, shell: Shell, checks: Checks, *, baseline: bool = False, exchanged: bool = True) -> None:
        """`baseline`: whether checks are silent until the full exports of their systems are in (`baseline`).

        `exchanged`: whether checks may be; where they never are, nothing has to be judged again (`again`).
        """
        self.shell = shell
        self.checks = checks
        self.baseline = Baseline(shell) if baseline else None
        self.exchanged = exchanged

    def judge(self, batch: Batch, event: Event, name: str, before: Held, after: Held) -> None:
        """Ask all checks about each customer that watch `name`, of which `event` tells."""
        watching = self.checks.watching(name)
        if watching:
            waits = Waits(batch, event.record["msisdn"])
            for watch in watching:
                change = Change(name, watch.subject, before, after, event, waits.msisdn)
                if not waits.fits(watch.check):
                    self._drop(batch, watch.check, waits, change)
                self._judge(batch, watch, waits, change)
            waits.store()

    def _judge(self, batch: Batch, watch: Watch, waits: Waits, change: Change) -> None:
        check, rule = watch.check, watch.rule
        if rule.each:
            subject = change.event.record[rule.each]
            if not subject:
                self.shell.counts.count("yupan_not_applicable", check=check.id)
                return
            change = change._replace(subject=subject)
        name = _name(check, change.subject)
        wait = waits.get(name)
        if wait is not None and wait["due"] is not None and change.at > wait["due"]:
            # the worker is catching up: what comes past a deadline does not cancel what that decides
            passed = Due(change.subject, wait["due"], change.before, waits.msisdn)
            self._fall_due(batch, check, rule, waits, name, passed, passed.at)
            wait = waits.get(name)
        outcome = rule.judge(change, wait)
        if wait is not None and outcome.wait is None and outcome.verdict is Verdict.CONSISTENT:
            self._learn(check, rule, change, wait)
        if rule.each and wait is None and outcome.wait is not None:
            self._make_room(batch, check, waits, change)
        self._conclude(batch, check, waits, name, outcome, _due(wait))

    def _learn(self, check: Check, rule: Rule, change: Change, wait: Wait) -> None:
        """How long the systems took to agree; `change` is the last word that was waited for."""
        system = change.name.partition(".")[0]
        if rule.propagates and system != rule.watches[0].partition(".")[0]:
            seconds = max(0, change.at - wait["since"]) / 1000
            self.shell.counts.observe("yupan_propagation_seconds", seconds, check=check.id, system=system)

    def fired(self, batch: Batch, fired: Fired) -> None:
        """A deadline has passed. One that nobody waits for any more is no news."""
        asks_again = fired.name.startswith(again.DEADLINE)
        name = fired.name.removeprefix(again.DEADLINE if asks_again else DEADLINE)
        check_id, _, subject = name.partition("|")
        waits = Waits(batch, fired.customer)
        wait = waits.get(name)
        if wait is None or not (again.is_due(wait) if asks_again else wait["due"] == fired.due_at):
            return
        check, rule = self.checks.by_id.get(check_id), self.checks.rules.get(check_id)
        due = Due(subject, fired.due_at, held(batch.get(states_key(fired.customer))), fired.customer)
        if check is None:
            self._put_off(batch, waits, name, wait, fired)
        elif rule is None or not waits.fits(check):
            self._drop(batch, check, waits, due)
        elif asks_again:
            self._judge_again(batch, check, rule, waits, name, due)
        else:
            self._fall_due(batch, check, rule, waits, name, due, armed=None)
        waits.store()

    def _put_off(self, batch: Batch, waits: Waits, name: str, wait: Wait, fired: Fired) -> None:
        """The check's file was taken away: what is open stays so until it is back, or a person ends it."""
        later = max(batch.now(), fired.due_at) + again.EVERY
        if wait["open"] is None:
            waits.set(name, None)
            return
        if wait["due"] is not None:
            waits.set(name, {**wait, "due": later})
        batch.arm(waits.msisdn, fired.name, later, again.READS)

    def _judge_again(self, batch: Batch, check: Check, rule: Rule, waits: Waits, name: str, due: Due) -> None:
        wait = waits.get(name)
        assert wait is not None
        assert wait["open"] is not None
        outcome = again.judged(rule, due, wait, wait["open"])
        if outcome.decisions:
            self._conclude(batch, check, waits, name, outcome, None)
        if again.is_due(outcome.wait):
            later = max(batch.now(), due.at) + again.EVERY
            batch.arm(waits.msisdn, again.DEADLINE + name, later, again.READS)

    def _fall_due(
        self, batch: Batch, check: Check, rule: Rule, waits: Waits, name: str, due: Due, armed: int | None
    ) -> None:
        """The time of a wait has come. Before the baseline is in, half of what is compared is missing: it waits on."""
        wait = waits.get(name)
        assert wait is not None
        outcome = rule.fall_due(due, wait)
        if wait["open"] is None and outcome.decisions and not self._speaks(batch, rule):
            outcome = Outcome(Verdict.PROPAGATING, {**wait, "due": max(due.at, batch.now()) + rule.within})
        self._conclude(batch, check, waits, name, outcome, armed)

    def _speaks(self, batch: Batch, rule: Rule) -> bool:
        return self.baseline is None or self.baseline.is_in(batch, rule, self.checks.exported)

    def order(self, batch: Batch, event: Event) -> str:
        """Do to a customer's anomaly what a person orders; what came of it: `done`, `unknown` or `impossible`."""
        waits = Waits(batch, event.record["msisdn"])
        name = waits.find(event.record["anomaly_id"])
        wait = None if name is None else waits.get(name)
        if name is None or wait is None:
            return "unknown"
        check_id, _, subject = name.partition("|")
        check, rule = self.checks.by_id.get(check_id), self.checks.rules.get(check_id)
        if check is not None and (rule is None or not waits.fits(check)):
            self._drop(batch, check, waits, Change("", subject, {}, {}, event, waits.msisdn))
            waits.store()
            return "done" if event.record["kind"] == "WITHDRAW" else "impossible"
        if check is None and event.record["kind"] != "WITHDRAW":
            return "impossible"
        followed = life.ordered(event, subject, rule, wait, waits.msisdn)
        if followed is None:
            return "impossible"
        kept, decision = followed
        known = check or self.last_known(batch, check_id, decision.anomaly["id"], waits.msisdn)
        self._conclude(batch, known, waits, name, Outcome(Verdict.DIVERGENT, kept, (decision,)), _due(wait))
        waits.store()
        return "done"

    def last_known(self, batch: Batch, check_id: str, anomaly_id: str, msisdn: str = "") -> Check:
        """What is left of a check that is off, or whose file is gone, while an anomaly of it is open."""
        check = self.checks.files.get(check_id)
        if isinstance(check, Check):
            return check
        held = reminders.open_reminders(batch.get(reminders.reminders_key(msisdn)))
        return gone(check_id, held.get(reminders.id_of(anomaly_id)))

    def _drop(self, batch: Batch, check: Check, waits: Waits, what: Change | Due) -> None:
        """What a rule of another shape has left under this id: its waits end, what it has open is withdrawn."""
        for name, wait in waits.of(check).items():
            decisions: tuple[Decision, ...] = ()
            if wait["open"] is not None:
                decisions = (_withdrawn(what._replace(subject=name.partition("|")[2]), wait, wait["open"]),)
            self._conclude(batch, check, waits, name, Outcome(Verdict.CONSISTENT, None, decisions), _due(wait))
        waits.adopt(check)

    def _make_room(self, batch: Batch, check: Check, waits: Waits, change: Change) -> None:
        """Of one check's transactions so many are kept: what is only remembered goes first, then the oldest."""
        known = waits.of(check)
        for name, wait in known.items():
            if _worth(wait) == 0 and change.at > wait.get("until", change.at):
                waits.set(name, None)
        while len(known := waits.of(check)) >= MOST_WAITS:
            name = min(known, key=lambda name: (_worth(known[name]), known[name]["since"]))
            self._give_up(batch, check, waits, change, name)

    def _give_up(self, batch: Batch, check: Check, waits: Waits, change: Change, name: str) -> None:
        """An open anomaly that nobody will end any more is withdrawn."""
        wait = waits.get(name)
        assert wait is not None
        decisions: tuple[Decision, ...] = ()
        if wait["open"] is not None:
            given_up = change._replace(subject=name.partition("|")[2])
            reason = "too_many_transactions"
            evidence = wait["open"]["evidence"]
            decisions = (on_event(given_up, "WITHDRAWN", reason, wait, wait["open"], evidence),)
        if _worth(wait):
            self.shell.counts.count("yupan_waits_dropped", check=check.id)
        self._conclude(batch, check, waits, name, Outcome(Verdict.CONSISTENT, None, decisions), _due(wait))

    def _conclude(
        self, batch: Batch, check: Check, waits: Waits, name: str, outcome: Outcome, armed: int | None
    ) -> None:
        """Keep what is waited for, arm or disarm its deadline, send what is decided. `armed`: what is armed now."""
        if outcome.verdict is Verdict.NOT_APPLICABLE:
            self.shell.counts.count("yupan_not_applicable", check=check.id)
        rule = self.checks.rules.get(check.id)
        if outcome.decisions:
            silent = check.mode == shadow.SHADOW or (rule is not None and not self._speaks(batch, rule))
            former = owners.former(batch, waits, name, outcome.decisions[-1].at)
            outcome = life.continued(outcome, former, shadow=silent)
            waits.remember(name, outcome.decisions)
        before = waits.get(name)
        if rule is not None and outcome.decisions:
            outcome = belonging(check, rule, batch.get(CUTOVERS), before, outcome)
        outcome = self._begin(batch, check, waits.msisdn, outcome)
        if outcome.wait is not before:
            waits.set(name, outcome.wait, None if rule is None else check)
        reads = () if rule is None else rule.reads  # without a rule nothing is waited for
        rearm(batch, waits.msisdn, DEADLINE + name, armed, _due(outcome.wait), reads)
        looked, look = due_of(before and before["open"]), due_of(outcome.wait and outcome.wait["open"])
        if looked != look:
            rearm(batch, waits.msisdn, REPAIR_DEADLINE + name, looked, look, (RESULT, COMMAND, *reads))
        if self.exchanged and again.is_due(before) != again.is_due(outcome.wait):
            self._ask_again(batch, waits.msisdn, name, outcome)
        for decision in outcome.decisions:
            self._send(batch, check, waits.msisdn, decision)
        if outcome.decisions:
            self._join(batch, check, waits.msisdn, before, outcome)

    def _ask_again(self, batch: Batch, msisdn: str, name: str, outcome: Outcome) -> None:
        """Have what has opened judged again from time to time, and what has ended no more."""
        if again.is_due(outcome.wait):
            now = max(batch.now(), *(decision.at for decision in outcome.decisions))
            batch.arm(msisdn, again.DEADLINE + name, again.first_at(msisdn, now), again.READS)
        else:
            batch.disarm(msisdn, again.DEADLINE + name)

    def _begin(self, batch: Batch, check: Check, msisdn: str, outcome: Outcome) -> Outcome:
        """What has just opened asks for a slot in which it may be repaired, but for what is part of works."""
        wait, opened = outcome.wait, outcome.decisions[-1] if outcome.decisions else None
        if wait is None or wait["open"] is None or opened is None:
            return outcome
        if opened.status != "OPEN" or not opened.changes_status or shadow.is_silent(wait["open"]):
            return outcome
        if "cutover" in wait["open"] or check.repair is None or check.repair.mode == "off":
            return outcome
        if not self.shell.acts(batch, opened.at, "repair"):
            return outcome
        words = words_of(self.checks.rules[check.id], opened.subject, wait["open"]["evidence"])
        if not may_help(wait["open"], check.repair, words):
            return outcome
        after = held_back(wait["open"], opened.at)
        if after is None:
            why = Why(opened.cause_id, opened.at, opened.traceparent)
            after = self.ask_for_repair(batch, check, msisdn, wait["open"], why)
        return outcome._replace(wait={**wait, "open": after})

    def ask_for_repair(self, batch: Batch, check: Check, msisdn: str, anomaly: Open, why: Why) -> Open:
        """Ask the limits of the check for a slot; the anomaly that waits for one. `why`: by the id of the cause."""
        record = {"check": check.id, "anomaly_id": anomaly["id"], "msisdn": msisdn, "asks": True}
        record |= {"slot": None, "again": None, "occurred_at": why.at}
        event_id = f"{anomaly['id']}|repair|{why.event_id}"
        self.shell.emit(batch, INTERNAL_REPAIR, record, event_id, traceparent=why.traceparent)
        return asked(anomaly, why.at)

    def amend(self, batch: Batch, waits: Waits, name: str, anomaly: Open, decision: Decision | None = None) -> None:
        """An open anomaly is another one, by something else than its rule; `decision` says so to the outside."""
        wait = waits.get(name)
        assert wait is not None
        check = self.checks.by_id[name.partition("|")[0]]
        decisions = () if decision is None else (decision,)
        outcome = Outcome(Verdict.DIVERGENT, {**wait, "open": anomaly}, decisions)
        self._conclude(batch, check, waits, name, outcome, _due(wait))
        waits.store()

    def _join(self, batch: Batch, check: Check, msisdn: str, before: Wait | None, outcome: Outcome) -> None:
        """Bring what is open, or is so no more, to its incident."""
        groups, decision = (group_of(before), group_of(outcome.wait)), outcome.decisions[-1]
        join(self.shell, batch, check, groups, decision, mask(msisdn))
        if before is not None and groups[0] is not None and decision.status == "RESOLVED":
            self._heal(batch, check, before, groups[0], decision)

    def _heal(self, batch: Batch, check: Check, wait: Wait, group: Group, decision: Decision) -> None:
        """Tell works that drift from before them has ended in their window."""
        known = None if "cutover" in group.anomaly else batch.get(CUTOVERS)
        if known is not None:
            reads = self.checks.rules[check.id].watches
            works = healing(known["windows"], reads, wait["region"], wait["since"], decision.at)
            if works is not None:
                bring(self.shell, batch, check, group, "HEALED", decision, cutover=works)

    def _send(self, batch: Batch, check: Check, msisdn: str, decision: Decision) -> None:
        """The anomaly, then its reminder; nothing of one that opened in shadow."""
        if shadow.is_silent(decision.anomaly):
            self.shell.keep_silent(check.id, shadow.line(check.id, decision, msisdn))
            return
        anomaly = anomalies.anomaly_record(check, decision, msisdn)
        self.announce(batch, anomaly, decision)
        self._remind(batch, check, anomaly, decision)

    def announce(self, batch: Batch, anomaly: Mapping[str, Any], decision: Decision) -> None:
        """Send the anomaly of a customer, a cell or a region, and count what has become of it."""
        self.shell.emit(batch, anomalies.TOPIC, anomaly, anomalies.event_id(decision), traceparent=decision.traceparent)
        counts, check_id, known = self.shell.counts, anomaly["check"], decision.anomaly
        if decision.changes_status:
            counts.count("yupan_anomalies", check=check_id, status=decision.status)
        if decision.status == "OPEN" and known.get("since") == decision.at:
            counts.count("yupan_anomalies_reopened", check=check_id)
        if decision.status == "RESOLVED":
            counts.observe("yupan_resolve_seconds", max(0, decision.at - known["opened_at"]) / 1000, check=check_id)

    def _remind(self, batch: Batch, check: Check, anomaly: Mapping[str, Any], decision: Decision) -> None:
        """The desk's reminder opens, changes and ends with its anomaly, or with the owner whose it was."""
        reminder = reminders.of_anomaly(anomaly, check.title)
        why = Why(f"{anomalies.event_id(decision)}|reminder", decision.at, decision.traceparent)
        msisdn, reminder_id, has_ended = reminder["msisdn"], reminder["reminder_id"], decision.status in life.ENDED
        is_earlier = owners.is_earlier(batch, msisdn, anomaly["opened_at"], decision.at)
        if not has_ended and not is_earlier:
            opens = decision.status == "OPEN" and decision.changes_status
            remind(self.shell, batch, reminder, why, opens=opens)
        elif not is_earlier or owners.stands(batch, msisdn, reminder_id):
            reason = f"{decision.status}: {decision.reason}" if has_ended else owners.ANOTHER_OWNER
            withdraw(self.shell, batch, reminder["kind"], msisdn, reminder_id, why, reason)


def _name(check: Check, subject: str) -> str:
    return f"{check.id}|{subject}" if subject else check.id


def _withdrawn(what: Change | Due, wait: Wait, anomaly: Open) -> Decision:
    """Its check has changed; nothing ends before it has begun."""
    if isinstance(what, Due):
        decision = on_deadline(what, "WITHDRAWN", CHECK_CHANGED, wait, anomaly)
    else:
        decision = on_event(what, "WITHDRAWN", CHECK_CHANGED, wait, anomaly, anomaly["evidence"])
    return decision._replace(at=max(decision.at, since_of(anomaly)))


def _due(wait: Wait | None) -> int | None:
    return None if wait is None else wait["due"]


def _worth(wait: Wait) -> int:
    """0: it is only remembered; 1: it is waited for; 2: it is open."""
    if wait["open"] is not None:
        return 2
    return int(wait["due"] is not None)
