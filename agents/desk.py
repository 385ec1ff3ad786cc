"""The desk's agents: what is known of a customer, whose call it is, and what the seat sees of it.

Thin shells around the pure modules: each reads the ledger, decides, writes the ledger and sends.
Ledger keys: `profile/ contacts/ tickets/ tasks/ reminders/` + MSISDN, `calls/` + the call's Kafka key,
`~list/` + a list's name, one a partition.
"""

from __future__ import annotations

from collections.abc import Sequence

from agents import calls, contacts, lists, owners, pops, tasks, tickets
from agents.event import Event
from agents.ports import Batch, Fired
from agents.profile import check_room, with_entry, with_facts
from agents.segments import LISTS, ORDER, Segment, segment_at
from agents.shell import Shell
from agents.texts import short
from agents.watching import Watching

CALL = "yupan.call.v1"
CONTACT = "yupan.contact.v1"
CUSTOMER = "yupan.customer.v1"
LIST = "yupan.list.v1"
INTERNAL_CALL = "yupan.internal.call.v1"
INTERNAL_CONTACT = "yupan.internal.contact.v1"
INTERNAL_LIST = "yupan.internal.list.v1"
POP = "yupan.screen-pop.v1"
TAGGED = "yupan.tagged-call.v1"
TASK = "yupan.retention-task.v1"
TICKET = "yupan.ticket.v1"

FORGET = "call/"
"""Prefix of the names of the deadlines at which calls are forgotten."""


class Calls:
    """Tags each phase of a call, brings it to the desk, and notes it as a contact. `order` ranks the segments."""

    topics = (CALL, INTERNAL_CALL)

    def __init__(self, shell: Shell, watching: Watching, order: Sequence[str] = ORDER) -> None:
        self.shell = shell
        self.watching = watching
        self.order = tuple(order)

    def process(self, batch: Batch) -> None:
        """Decide all call phases of a batch."""
        self.shell.run(batch, self.decide, self.on_fired)

    def decide(self, batch: Batch, event: Event) -> None:
        """Decide one phase of a call, or bring it to the customer whom the call's first phase named."""
        if event.topic == INTERNAL_CALL:
            event = calls.brought(event)
        record = event.record
        call_id, key = record["call_id"], f"calls/{event.key}"
        held = batch.get(key)
        known = calls.find(held, call_id, event.occurred_at)
        call = calls.with_phase(known or self._begin(batch, event), event)
        if call is None:
            self.shell.counts.count("yupan_duplicates", topic=CALL)
            return
        if known is None or call["ended"] != known["ended"]:
            batch.arm(str(event.key), FORGET + call_id, calls.forget_at(call), self.topics)
        if (to := call.get("to")) is not None:
            brought = {**record, "msisdn": to, "arrived_at": event.arrived_at}
            self.shell.bring(batch, event, to, INTERNAL_CALL, brought)
        else:
            call = self._decide(batch, event, call)
            self._watch(batch, event, known, call)
        batch.put(key, calls.with_call(held, call_id, call))

    def _decide(self, batch: Batch, event: Event, call: calls.Call) -> calls.Call:
        record = event.record
        phase_id = f"{event.source}|{event.id}"
        self.shell.emit(  # all of a call goes out under its own key, so that its phases stay in order
            batch, TAGGED, calls.tagged(call, record), phase_id, traceparent=event.traceparent, key=event.key
        )
        self.shell.counts.count("yupan_calls", segment=call["segment"] or "none")
        if calls.is_pop_due(call, record) and self.shell.acts(batch, event.occurred_at, "pop"):
            self._pop(batch, event, call)
            call = calls.with_pop(call, record)
        self._note(batch, event, call)
        return call

    def on_fired(self, batch: Batch, fired: Fired) -> None:
        """Forget a call, or wait on when it has gone on meanwhile."""
        key, call_id = f"calls/{fired.customer}", fired.name.removeprefix(FORGET)
        held = batch.get(key)
        call = calls.find(held, call_id)
        if call is None:
            return
        if calls.forget_at(call) > fired.due_at:
            batch.arm(fired.customer, fired.name, calls.forget_at(call), self.topics)
            return
        rest = calls.without_call(held, call_id)
        if rest is None:
            batch.delete(key)
        else:
            batch.put(key, rest)

    def _begin(self, batch: Batch, event: Event) -> calls.Call:
        customer = calls.customer_of(event)
        if event.topic == CALL and customer not in (None, event.key):
            return calls.begin(event, None, self._segment(batch, None, event.occurred_at), to=customer)
        return calls.begin(event, customer, self._segment(batch, customer, event.occurred_at))

    def _segment(self, batch: Batch, customer: str | None, at: int) -> Segment:
        if customer is None:
            return segment_at(None, {}, at, self.order)
        heads = {name: batch.get(lists.head_key(name)) for name in LISTS}
        return segment_at(batch.get(f"profile/{customer}"), heads, at, self.order)

    def _pop(self, batch: Batch, event: Event, call: calls.Call) -> None:
        customer = call["msisdn"]
        known = pops.Known()
        if customer is not None:
            kinds = ("profile", "contacts", "reminders", "tasks", "tickets")
            known = pops.Known(*(batch.get(f"{kind}/{customer}") for kind in kinds))
        pop = pops.pop(event.record, call, known)
        self.shell.emit(
            batch,
            POP,
            pop,
            pops.pop_id(event.record),
            traceparent=event.traceparent,
            now=True,
            key=event.key,
            shorter=pops.without_oldest,
        )
        self.shell.counts.count("yupan_pops", segment=call["segment"] or "none")
        self.shell.counts.observe("yupan_pop_latency_seconds", max(0, batch.now() - event.arrived_at) / 1000)

    def _note(self, batch: Batch, event: Event, call: calls.Call) -> None:
        customer = call["msisdn"]
        if customer is None:
            return
        key = f"contacts/{customer}"
        held = batch.get(key)
        newer = contacts.with_call(held, event.record["call_id"], call["at"], event.record)
        if newer is not held:
            batch.put(key, newer)

    def _watch(self, batch: Batch, event: Event, known: calls.Call | None, call: calls.Call) -> None:
        """Watch lists are told when a call of a customer is answered, and when one that was is over."""
        answered, over = calls.news(known, call)
        if call["msisdn"] is not None and (answered, over) != (None, None):
            self.watching.call(batch, call["msisdn"], event, answered, over)


class Contacts:
    """Keeps the last contacts of identified customers over all channels (#59, #60)."""

    topics = (CONTACT, INTERNAL_CONTACT)

    def __init__(self, shell: Shell) -> None:
        self.shell = shell

    def process(self, batch: Batch) -> None:
        """Note all contacts of a batch."""
        self.shell.run(batch, self.decide)

    def decide(self, batch: Batch, event: Event) -> None:
        """Note one contact; one without MSISDN is for the history alone."""
        if event.customer is None:
            return
        if event.customer != event.key:
            self.shell.bring(batch, event, event.customer, INTERNAL_CONTACT, short(event.record))
            return
        key = f"contacts/{event.customer}"
        held = batch.get(key)
        newer = contacts.with_contact(held, event.record)
        if newer is not held:
            batch.put(key, newer)


class Profiles:
    """Keeps facts and list entries, and fans a list's REPLACED out to every partition."""

    topics = (CUSTOMER, LIST, INTERNAL_LIST)

    def __init__(self, shell: Shell, watching: Watching) -> None:
        self.shell = shell
        self.watching = watching

    def process(self, batch: Batch) -> None:
        """Judge the watch lists whose time has come, then note all facts, entries or replacements of a batch."""
        self.shell.run(batch, self.decide, self._fired)

    def decide(self, batch: Batch, event: Event) -> None:
        """Note one record of facts, one entry, or one replacement."""
        if event.topic == INTERNAL_LIST:
            self._replaced(batch, event)
        elif event.topic == LIST and event.record["action"] == "REPLACED":
            self._fan_out(batch, event)
        else:
            self._note(batch, event)

    def _fired(self, batch: Batch, fired: Fired) -> None:
        """A number has another owner, or watch lists are to be judged."""
        if fired.name == owners.DEADLINE:
            owners.fired(self.shell, batch, fired)
        else:
            self.watching.fired(batch, fired)

    def _note(self, batch: Batch, event: Event) -> None:
        """Facts or an entry; the watch lists are judged by what is held then."""
        key = f"profile/{event.customer}"
        held = batch.get(key)
        record = event.record
        check_room(held, record)
        newer = with_facts(held, record) if event.topic == CUSTOMER else with_entry(held, short(record))
        if newer is held:
            return
        batch.put(key, newer)
        if event.topic == CUSTOMER:
            owners.told(self.shell, batch, event)
            self.watching.facts(batch, event)
        else:
            self.watching.entry(batch, event, is_first=held is None or record["list"] not in held["lists"])

    def _replaced(self, batch: Batch, event: Event) -> None:
        key = lists.head_key(event.record["list"])
        held = batch.get(key)
        newer = lists.with_replaced(held, event.record)
        if newer is not held:
            batch.put(key, newer)
            self.watching.replaced(batch, event)

    def _fan_out(self, batch: Batch, event: Event) -> None:
        """One copy a partition; its id comes from the source's."""
        cause = f"{event.source}|{event.id}"
        self.shell.fan_out(batch, INTERNAL_LIST, event.record, cause, traceparent=event.traceparent)


class Tickets:
    """Keeps the open complaint tickets of a customer for the pop."""

    topics = (TICKET,)

    def __init__(self, shell: Shell) -> None:
        self.shell = shell

    def process(self, batch: Batch) -> None:
        """Note all tickets of a batch."""
        self.shell.run(batch, self.decide)

    def decide(self, batch: Batch, event: Event) -> None:
        """Note one step of a ticket."""
        key = f"tickets/{event.customer}"
        batch.put(key, tickets.with_ticket(batch.get(key), short(event.record)))


class Tasks:
    """Keeps the open retention tasks of a customer for the pop (#56, #58)."""

    topics = (TASK,)

    def __init__(self, shell: Shell) -> None:
        self.shell = shell

    def process(self, batch: Batch) -> None:
        """Note all retention tasks of a batch."""
        self.shell.run(batch, self.decide)

    def decide(self, batch: Batch, event: Event) -> None:
        """Note one step of a task."""
        key = f"tasks/{event.customer}"
        batch.put(key, tasks.with_task(batch.get(key), short(event.record)))
