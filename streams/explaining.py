"""`yupan checks explain`: what each check and watch list makes of one customer now, rebuilt from the history (#48).

The customer's rows go, in their order of arrival, through the same agents as a worker's. Nobody asks a worker's ledger.
Whether anybody was told of what is open only the history knows: of what a worker decides in shadow it has no row, and
the mode of a file may have changed since.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from agents.conclude import COMMAND
from agents.desk import CALL, CUSTOMER, LIST
from agents.life import ENDED, order_told, status_of
from agents.replay import Input, Present, Replay
from agents.rules import Check, Checks
from agents.shadow import OFF, ON
from agents.states import NEVER, value_of
from agents.verdicts import AreaRule, Rule, Verdict
from agents.waiting import Open, Wait
from agents.watch import CALLS, Span, Time
from agents.watch_files import WatchList
from schemas.catalogue import EVENTS
from schemas.errors import RecordError
from schemas.events.state import OCCURRENCES
from schemas.fields import iso
from sinks import queries
from sinks.clickhouse import ClickHouse
from streams.customer import states_since
from streams.settings import Settings

STATE, USAGE = "yupan.state.v1", "yupan.usage.v1"
SILENCE = 1_000
"""Milliseconds without news after which a deadline that is due fires in a worker."""
_ORDER = (CUSTOMER, LIST, STATE, CALL, COMMAND)
"""Of what arrived in the same millisecond what comes first."""
UNTOLD = "nobody was told: the history has nothing of it"
IS_OFF = "off, so nothing is decided: what it would say"
OF_USAGE = "usage is not in the history"
OF_AREAS = "of cells and regions, not of a customer; usage is not in the history"
NOT_BY_THESE = "open in the history, not by the rules as they are now"
STANDS = "stands"
"""The verdict of a watch list whose reminder stands."""

Rows = Iterable[Mapping[str, Any]]
Since = Mapping[str, str]
"""State to the moment since which it has its value."""
Entry = dict[str, Any]
Told = Mapping[str, Mapping[str, Any]]
"""The anomalies that the history holds open, by id: their newest rows."""


class Arrived(NamedTuple):
    """A row as the event that it was."""

    at: int
    """When it arrived: the broker's time, milliseconds."""
    rank: int
    offset: int
    event: Input


def explained(
    db: ClickHouse, settings: Settings, asked: Sequence[Check | WatchList], msisdn: str, now: int
) -> dict[str, Any]:
    """Each check's verdict, states, deadline and open anomaly as of `now` (ms). Raises `PartError`."""
    # neither a repair nor the mode changes a verdict
    checks = [replace(one, repair=None, mode=ON) for one in asked if isinstance(one, Check)]
    watches = [replace(one, mode=ON) for one in asked if isinstance(one, WatchList)]
    replay = Replay(Checks(checks, watches), settings.country_code, settings.timezone, told=())
    states, decided = queries.states(db, msisdn), queries.decided(db, msisdn)
    calls = queries.phases(db, msisdn) if any(CALLS in watch.rule.reads for watch in watches) else []
    arrived = [
        *events_of(STATE, states),
        *events_of(CUSTOMER, _records_of_facts(queries.told_facts(db, msisdn))),
        *events_of(LIST, queries.lists(db, msisdn)),
        *events_of(CALL, [{**row, "msisdn": msisdn} for row in calls]),
        *events_of(COMMAND, _orders(decided)),
    ]
    feed_as_it_came(replay, sorted(arrived, key=lambda one: one[:3]), now if settings.clock == "wall" else None)
    since = _since(states)
    newest = {row["anomaly_id"]: row for row in decided}
    told = {anomaly_id: row for anomaly_id, row in newest.items() if row["status"] not in ENDED}
    reminded = {row["source_id"]: row for row in queries.reminders(db, msisdn) if not row["withdrawn"]}
    present = replay.present(msisdn)
    of_checks = (entry for check in checks for entry in _of_check(check, present, since, told))
    entries = [*of_checks, *(_of_watch(watch, present, since, reminded.get(watch.id)) for watch in watches)]
    off = {one.id for one in asked if one.mode == OFF}
    entries = [_as_off(entry) if entry["check"] in off else entry for entry in entries]
    return {"msisdn": msisdn, "as_of": iso(replay.clock if settings.clock == "events" else now), "checks": entries}


def feed_as_it_came(replay: Replay, arrived: Iterable[Arrived], now: int | None) -> None:
    """Let it come as it came. `now`: where the clock is the wall's, deadlines fire by the time of arrival, too."""
    before = None
    for one in arrived:
        if now is not None and before is not None and one.at - before > SILENCE:
            _run(replay.finish(one.at - SILENCE))
        before = one.at
        with suppress(RecordError):  # a worker has refused it, too
            _run(replay.feed(one.event))
    _run(replay.finish(now))


def _run(decisions: Iterable[Any]) -> None:
    for _ in decisions:
        pass


# --- rows to events


def events_of(topic: str, rows: Rows) -> Iterator[Arrived]:
    """The events that rows of the history of a topic were; what no longer is one is left out."""
    event = EVENTS[topic]
    for row in rows:
        told = {name: row[name] for name in event.fields if row.get(name) is not None or name in row.keys() & {"value"}}
        with suppress(RecordError):
            line = Input(topic, event.from_json(told), row["ce_id"], row["ce_source"])
            yield Arrived(row["arrived_at"], _ORDER.index(topic), row["arrival_offset"], line)


def _records_of_facts(rows: Rows) -> list[dict[str, Any]]:
    """The facts of one record stand in as many rows."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        place = row["arrived_at"], row["arrival_partition"], row["arrival_offset"], row["ce_id"]
        found.setdefault(place, {**row, "facts": {}})["facts"][row["fact"]] = row["value"]
    return list(found.values())


def _orders(decided: Rows) -> Iterator[dict[str, Any]]:
    """What people ordered: commands are not in the history, but what came of them is."""
    for row in decided:
        order = order_told(row["reason"] or "")
        if order is not None:
            yield {**row, **order, "command_id": row["ce_id"]}


def _since(states: Rows) -> Since:
    kept = [dict(row) for row in states if row["attribute"] not in OCCURRENCES]
    return {
        f"{system}.{attribute}": entry["since"]
        for system, entries in states_since(kept, 0).items()
        for attribute, entry in entries.items()
    }


# --- what is said of it


def _of_check(check: Check, present: Present, since: Since, told: Told) -> list[Entry]:
    rule = check.rule
    if isinstance(rule, AreaRule):
        return [_entry(check, None, note=OF_AREAS)]
    if USAGE in rule.reads:
        entries = [_entry(check, None, note=OF_USAGE)]
    else:
        entries = [_of_subject(check, rule, subject, present, since, told) for subject in _subjects(check, present)]
    known = {entry["anomaly"]["anomaly_id"] for entry in entries if entry["anomaly"] is not None}
    for anomaly_id, row in told.items():
        if row["check"] == check.id and anomaly_id not in known:
            _add_open(entries, check, row)
    return entries


def _subjects(check: Check, present: Present) -> list[str]:
    """The products that were seen, or the transactions that are not settled; without either one that is none."""
    rule = check.rule
    assert not isinstance(rule, AreaRule)
    waits = {name.partition("|")[2]: wait for name, wait in present.waits.items() if name.partition("|")[0] == check.id}
    if rule.each:
        differ = (s for s, wait in waits.items() if rule.verdict(s, present.states, wait) is not Verdict.CONSISTENT)
        return sorted(differ) or [""]
    seen = {subject for name in present.states if (subject := rule.subject(name)) is not None}
    return sorted(seen | waits.keys()) or [""]


def _of_subject(check: Check, rule: Rule, subject: str, present: Present, since: Since, told: Told) -> Entry:
    wait = present.waits.get(f"{check.id}|{subject}" if subject else check.id)
    verdict = rule.verdict(subject, present.states, wait)
    read: dict[str, Any] = rule.evidence(subject, present.states, wait)
    if not rule.each:
        read = {name: value_of(present.states, name) for name in read}
    anomaly = None if wait is None else wait["open"]
    return _entry(
        check,
        verdict.value,
        subject=subject or None,
        states={name: _state(name, value, since) for name, value in read.items()},
        deadline=_deadline(wait),
        anomaly=None if anomaly is None else _anomaly(anomaly, told.get(anomaly["id"])),
        note=UNTOLD if anomaly is not None and anomaly["id"] not in told else None,
    )


def _of_watch(watch: WatchList, present: Present, since: Since, told: Mapping[str, Any] | None) -> Entry:
    """`told`: the reminder that the history holds."""
    standing = present.standing.get(watch.id)
    words = {name: value for name, value in watch.rule.words(present.known).items() if not isinstance(value, Span)}
    entry = _entry(
        watch,
        Verdict.CONSISTENT.value if standing is None else STANDS,
        states={name: _state(name, value, since) for name, value in words.items()},
        note=UNTOLD if standing is not None and told is None else None,
    )
    if standing is None:
        return {**entry, "reminder": None}
    reminder_id = standing[0] if told is None else told["reminder_id"]
    return {**entry, "reminder": {"reminder_id": reminder_id, "until": standing[1] and iso(standing[1])}}


def _as_off(entry: Entry) -> Entry:
    """What would be said if the file were in force; of what is open only what was told before it was switched off."""
    untold = [name for name in ("anomaly", "reminder") if name in entry and entry["note"] == UNTOLD]
    return {**entry, **dict.fromkeys(untold), "deadline": None, "note": IS_OFF}


def _entry(check: Check | WatchList, verdict: str | None, **more: Any) -> Entry:
    empty: Entry = {"subject": None, "states": {}, "deadline": None, "anomaly": None, "note": None}
    return {"check": check.id, "kind": check.kind, "verdict": verdict, **empty, **more}


def _state(name: str, value: Any, since: Since) -> dict[str, Any]:
    """A value that was never seen is null."""
    if value is NEVER or value == "never seen":
        return {"value": None, "since": None}
    return {"value": iso(value) if isinstance(value, Time) else value, "since": since.get(name)}


def _deadline(wait: Wait | None) -> str | None:
    return iso(wait["due"]) if wait is not None and wait["due"] is not None and wait["open"] is None else None


def _anomaly(anomaly: Open, row: Mapping[str, Any] | None) -> dict[str, Any]:
    """An open anomaly; what has become of its repair only the history knows (`row`, None: nobody was told)."""
    return {
        "anomaly_id": anomaly["id"],
        "status": status_of(anomaly) if row is None else row["status"],
        "opened_at": iso(anomaly["opened_at"]),
        "evidence": anomaly["evidence"],
    }


def _add_open(entries: list[Entry], check: Check, row: Mapping[str, Any]) -> None:
    """An anomaly that the history holds open, and we do not, or by another id: of that nobody was told."""
    subject = None
    if not isinstance(check.rule, AreaRule):
        subject = next((found for name in row["evidence"] or {} if (found := check.rule.subject(name))), None)
    told = {"anomaly_id": row["anomaly_id"], "status": row["status"], "opened_at": iso(row["opened_at"])}
    anomaly = {**told, "evidence": row["evidence"]}
    mine = (one for one in entries if one["subject"] == subject)
    free = next((one for one in mine if one["anomaly"] is None or one["note"] == UNTOLD), None)
    if free is None:
        free = _entry(check, None, subject=subject)
        entries.append(free)
    free["note"] = None if free["note"] == UNTOLD else free["note"] or NOT_BY_THESE
    free["anomaly"] = anomaly
    if free["verdict"] is None:
        free["verdict"] = Verdict.DIVERGENT.value


# --- for people


def lines_of(found: Mapping[str, Any], timezone: str) -> Iterator[str]:
    """The answer as text; moments in the operator's time zone."""
    zone = ZoneInfo(timezone)
    for entry in found["checks"]:
        subject = f"  {entry['subject']}" if entry["subject"] else ""
        verdict = (entry["verdict"] or "not in the history").replace("_", " ")
        yield f"{entry['check']:<24} {verdict}{subject}"
        for name, state in entry["states"].items():
            since = "" if state["since"] is None else f", since {_local(state['since'], zone)}"
            yield f"    {name} {'never seen' if state['value'] is None else state['value']}{since}"
        if entry["deadline"]:
            yield f"    deadline {_local(entry['deadline'], zone)}"
        if (anomaly := entry["anomaly"]) is not None:
            yield f"    {anomaly['status']} since {_local(anomaly['opened_at'], zone)}, anomaly {anomaly['anomaly_id']}"
        if (reminder := entry.get("reminder")) is not None:
            until = "" if reminder["until"] is None else f", until {_local(reminder['until'], zone)}"
            yield f"    reminder {reminder['reminder_id']}{until}"
        if entry["note"]:
            yield f"    {entry['note']}"


def _local(moment: str, zone: ZoneInfo) -> str:
    return f"{datetime.fromisoformat(moment).astimezone(zone):%Y-%m-%d %H:%M:%S}"
