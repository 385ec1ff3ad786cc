"""The audit's shell over partitions in memory: what it keeps, arms, counts and sends."""

from __future__ import annotations

from typing import Any

import pytest

from agents.conclude import DEADLINE
from agents.intake import Intake
from agents.joining import INCIDENT
from agents.memory import Delivered, MemoryBatch, Output, World
from agents.ports import Fired
from agents.reminders import reminders_key
from agents.replay import Replay, parse
from agents.rules import Checks, load_checks
from agents.shell import Shell
from schemas import headers as ce
from schemas.catalogue import EVENTS
from schemas.codec import codecs
from schemas.headers import cloud_event
from schemas.partition import partition_of
from tests.agents.desk_world import audit_of

STATE, ANOMALY, REMINDER = "yupan.state.v1", "yupan.anomaly.v1", "yupan.reminder.v1"
ANNA = "8613800138000"
NOON = 1_795_320_000_000
MIN = 60_000
DAY = 24 * 60
PARTITIONS = 12
CODECS = codecs()
HOME = partition_of(ANNA.encode(), PARTITIONS)


class Desk:
    """One partition and its worker; `minute` is the wall clock."""

    def __init__(self, checks: Checks | None = None, *, events_clock: bool = False) -> None:
        self.world = World()
        self.counted: dict[tuple[str, ...], float] = {}
        self.observed: list[tuple[str, float]] = []
        intake = Intake(CODECS, PARTITIONS, events_clock=events_clock)
        self.audit = audit_of(Shell(intake, CODECS, self), checks)

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        key = (name, *labels.values())
        self.counted[key] = self.counted.get(key, 0) + amount

    def observe(self, name: str, value: float, **labels: str) -> None:
        self.observed.append((name, value))

    def set(self, name: str, value: float, **labels: str) -> None:
        self.counted[(name, *labels.values())] = value

    def tell(
        self,
        minute: float,
        name: str,
        value: Any,
        *,
        id: str = "",
        arrives: float | None = None,
        trace: str = "00-abc-01",
        **more: Any,
    ) -> None:
        system, _, attribute = name.partition(".")
        at = NOON + round(minute * MIN)
        record = EVENTS[STATE].from_json(
            {"msisdn": ANNA, "system": system, "attribute": attribute, "value": value, "occurred_at": at} | more
        )
        now = at if arrives is None else NOON + round(arrives * MIN)
        headers = cloud_event(STATE, id or f"{name}@{minute}", system, at, trace)
        message = Delivered(STATE, CODECS[STATE].encode(record), ANNA.encode(), headers, 0, now, HOME)
        self.world.clock = now
        with MemoryBatch(self.world, STATE, [message], partition=HOME) as batch:
            self.audit.process(batch)

    def fire(self, before: float) -> None:
        fired = []
        while (one := self.world.next_due(NOON + round(before * MIN))) is not None:
            fired.append(one)
        self.send_fired(fired)

    def send_fired(self, fired: list[Fired]) -> None:
        with MemoryBatch(self.world, STATE, [], fired, HOME) as batch:
            self.audit.process(batch)

    def sent(self, topic: str) -> list[Output]:
        return [output for output in self.world.outputs if output.topic == topic]

    def records(self, topic: str) -> list[dict[str, Any]]:
        return [CODECS[topic].decode(output.value) for output in self.sent(topic) if output.value is not None]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def diverge(desk: Desk) -> None:
    desk.tell(0, "crm.status", "active", id="e-1", region="nanchang")
    desk.fire(11)


# --- the anomaly


def test_the_anomaly_carries_all_of_its_contract_with_texts_filled_in(desk: Desk) -> None:
    diverge(desk)
    (anomaly,) = desk.records(ANOMALY)
    texts = {name: anomaly.pop(name) for name in ("cause", "wording", "guidance")}
    assert len(anomaly.pop("anomaly_id")) == 32
    assert anomaly == {
        "msisdn": ANNA,
        "cell": None,
        "region": "nanchang",
        "check": "activation",
        "status": "OPEN",
        "severity": "MAJOR",
        "cause_code": "hlr.status.missing",
        "evidence": {"crm.status": "active", "hlr.status": "never seen"},
        "trigger_id": "e-1",
        "opened_at": NOON + 10 * MIN,
        "occurred_at": NOON + 10 * MIN,
        "reason": "deadline_passed",
    }
    assert texts["cause"] == {
        "zh": "CRM 与 HLR 的用户状态在 10 分钟内未达成一致：CRM 为 active，HLR 为 无记录。",
        "en": "CRM and HLR did not come to the same status within 10 min: CRM says active, HLR says never seen.",
    }
    assert all(set(text) == {"zh", "en"} and "{" not in "".join(text.values()) for text in texts.values())


def test_the_texts_of_the_resolution_speak_of_the_divergence_and_its_evidence_of_now(desk: Desk) -> None:
    diverge(desk)
    desk.tell(25, "hlr.status", "active")
    opened, resolved = desk.records(ANOMALY)
    assert resolved["cause"] == opened["cause"]
    assert resolved["evidence"] == {"crm.status": "active", "hlr.status": "active"}
    assert (resolved["opened_at"], resolved["occurred_at"]) == (NOON + 10 * MIN, NOON + 25 * MIN)
    assert resolved["trigger_id"] == opened["trigger_id"]


def test_outputs_are_keyed_by_customer_and_carry_cloud_events_with_ids_of_their_cause(desk: Desk) -> None:
    diverge(desk)
    desk.tell(25, "hlr.status", "active", id="e-2")
    opened, resolved = desk.sent(ANOMALY)
    anomaly_id = desk.records(ANOMALY)[0]["anomaly_id"]
    first, second = ce.read(opened.headers), ce.read(resolved.headers)
    assert opened.key == resolved.key == ANNA.encode()
    due = NOON + 10 * MIN
    assert (first["ce_id"], second["ce_id"]) == (f"{anomaly_id}|OPEN|crm|e-1|{due}", f"{anomaly_id}|RESOLVED|hlr|e-2")
    assert (first["ce_type"], first["ce_time"]) == (ANOMALY, "2026-11-22T04:10:00.000Z")


def test_a_traceparent_is_carried_from_what_caused_a_decision_to_all_that_it_sends(desk: Desk) -> None:
    """A deadline's cause is its trigger, also when a late counterpart decides it."""
    for late in (Desk(), desk):
        late.tell(0, "crm.status", "active", trace="00-trigger-01")
        if late is desk:
            late.fire(11)
        late.tell(25, "hlr.status", "active", trace="00-counterpart-01")
        traces = [(o.topic, ce.read(o.headers)["traceparent"]) for o in late.world.outputs]
        joined = [trace for topic, trace in traces if topic == INCIDENT]
        assert joined == ["00-trigger-01", "00-counterpart-01"]
        assert [told for told in traces if told[0] != INCIDENT] == [
            (ANOMALY, "00-trigger-01"),
            (REMINDER, "00-trigger-01"),
            (ANOMALY, "00-counterpart-01"),
            (REMINDER, "00-counterpart-01"),
        ]


def test_ids_of_outputs_differ_when_two_sources_count_their_events_alike(desk: Desk) -> None:
    desk.tell(0, "crm.status", "active", id="1")
    desk.fire(11)
    desk.tell(20, "hlr.status", "barred", id="1")  # the anomaly's evidence changes
    assert len(desk.world.outputs) == 7  # anomaly and reminder twice; it joins an incident, leaves it, joins another
    assert len({ce.read(o.headers)["ce_id"] for o in desk.world.outputs}) == 7


def test_a_late_counterpart_before_the_deadline_fired_gives_the_same_as_after(desk: Desk) -> None:
    """OPEN and RESOLVED are both decided, in that order, in the scope of one event."""
    desk.tell(0, "crm.status", "active", id="e-1", region="nanchang")
    desk.tell(25, "hlr.status", "active", id="e-2")
    fired_first = Desk()
    diverge(fired_first)
    fired_first.tell(25, "hlr.status", "active", id="e-2")
    assert [r["status"] for r in desk.records(ANOMALY)] == ["OPEN", "RESOLVED"]
    assert desk.records(ANOMALY) == fired_first.records(ANOMALY)
    assert [ce.read(o.headers)["ce_id"] for o in desk.world.outputs] == [
        ce.read(o.headers)["ce_id"] for o in fired_first.world.outputs
    ]
    assert desk.world.next_due(1 << 60) is None


def test_an_anomaly_is_told_however_old_it_is(desk: Desk) -> None:
    desk.tell(0, "crm.status", "active", arrives=30 * DAY)
    desk.fire(30 * DAY)
    assert [r["status"] for r in desk.records(ANOMALY)] == ["OPEN"]
    assert [r["progress"] for r in desk.records(REMINDER)] == ["OPEN"]


# --- deadlines


def test_a_deadline_is_armed_moved_and_disarmed_with_the_wait(desk: Desk) -> None:
    desk.tell(0, "crm.status", "active")
    desk.tell(5, "crm.status", "suspended")
    desk.fire(12)  # the first deadline has been moved
    assert desk.world.outputs == []
    desk.tell(13, "hlr.status", "barred")
    assert desk.world.next_due(1 << 60) is None


def test_a_deadline_that_nobody_waits_for_any_more_is_no_news(desk: Desk) -> None:
    desk.tell(0, "crm.status", "active")
    due = NOON + 10 * MIN
    desk.send_fired([Fired(ANNA, f"{DEADLINE}activation", due - 1), Fired(ANNA, f"{DEADLINE}gone", due)])
    desk.send_fired([Fired("8613900139000", f"{DEADLINE}activation", due)])
    assert desk.world.outputs == []
    desk.fire(11)
    desk.send_fired([Fired(ANNA, f"{DEADLINE}activation", due)])
    assert len(desk.records(ANOMALY)) == 1


def test_the_wait_of_a_check_that_was_taken_away_ends_silently(desk: Desk) -> None:
    desk.tell(0, "crm.status", "active")
    desk.audit.conclusions.checks = Checks([])
    desk.fire(11)
    assert desk.world.outputs == []
    assert f"waits/{ANNA}" not in desk.world.records


# --- reminders


def test_the_reminder_opens_with_the_anomaly_and_ends_with_it_by_a_tombstone(desk: Desk) -> None:
    diverge(desk)
    anomaly, reminder = desk.records(ANOMALY)[0], desk.records(REMINDER)[0]
    assert reminder["kind"] == "ANOMALY"
    assert reminder["title"] == {"zh": "激活", "en": "Activation"}
    assert reminder["source_id"] == anomaly["anomaly_id"]
    assert reminder["progress"] == "OPEN"
    for name in ("cause", "wording", "guidance", "severity", "occurred_at"):
        assert reminder[name] == anomaly[name]

    desk.tell(25, "hlr.status", "active")
    opened, withdrawn = desk.sent(REMINDER)
    assert withdrawn.value is None
    assert opened.key == withdrawn.key == f"{ANNA}|{reminder['reminder_id']}".encode()
    assert opened.partition == withdrawn.partition == HOME
    assert ce.read(withdrawn.headers)["yupan.withdrawn"] == "RESOLVED: agrees_again"
    assert ce.read(withdrawn.headers)["ce_time"] == "2026-11-22T04:25:00.000Z"


def test_a_withdrawn_anomaly_withdraws_its_reminder_and_says_so(desk: Desk) -> None:
    diverge(desk)
    desk.tell(30, "crm.status", "reserved")
    assert ce.read(desk.sent(REMINDER)[-1].headers)["yupan.withdrawn"] == "WITHDRAWN: not_applicable"


def test_new_evidence_changes_the_same_reminder(desk: Desk) -> None:
    diverge(desk)
    desk.tell(20, "crm.status", "suspended")
    first, second = desk.records(REMINDER)
    assert first["reminder_id"] == second["reminder_id"]
    assert "suspended" in second["guidance"]["zh"]
    assert len(desk.records(ANOMALY)) == 2


def test_the_open_reminders_of_a_customer_lie_in_the_ledger_for_the_pop(desk: Desk) -> None:
    diverge(desk)
    reminder = desk.records(REMINDER)[0]
    assert desk.world.records[reminders_key(ANNA)] == {"v": 1, "open": {reminder["reminder_id"]: reminder}}
    desk.tell(25, "hlr.status", "active")
    assert reminders_key(ANNA) not in desk.world.records


def test_another_reminder_of_the_customer_stays(desk: Desk) -> None:
    other = {"reminder_id": "watch-1", "msisdn": ANNA}
    desk.world.records[reminders_key(ANNA)] = {"v": 1, "open": {"watch-1": other}}
    diverge(desk)
    assert len(desk.world.records[reminders_key(ANNA)]["open"]) == 2
    desk.tell(25, "hlr.status", "active")
    assert desk.world.records[reminders_key(ANNA)] == {"v": 1, "open": {"watch-1": other}}


# --- what is counted


def test_changes_of_status_and_reminders_are_counted(desk: Desk) -> None:
    diverge(desk)
    desk.tell(20, "crm.status", "suspended")
    desk.tell(30, "hlr.status", "barred")
    assert desk.counted == {
        ("yupan_anomalies", "activation", "OPEN"): 1,
        ("yupan_anomalies", "activation", "RESOLVED"): 1,
        ("yupan_reminders", "ANOMALY", "opened"): 1,
        ("yupan_reminders", "ANOMALY", "changed"): 1,
        ("yupan_reminders", "ANOMALY", "withdrawn"): 1,
    }


def test_values_outside_the_mapping_late_and_repeated_states_are_counted(desk: Desk) -> None:
    desk.tell(5, "crm.status", "reserved", id="e-1")
    desk.tell(5, "crm.status", "reserved", id="e-1")
    desk.tell(4, "crm.status", "active")
    assert desk.counted == {
        ("yupan_not_applicable", "activation"): 1,
        ("yupan_duplicates", STATE): 1,
        ("yupan_late", "crm"): 1,
    }


# --- the ledger


def test_a_state_that_no_check_reads_is_held_and_nothing_else_is_written(desk: Desk) -> None:
    desk.tell(0, "ocs.balance", 12.5)
    assert list(desk.world.records) == [f"states/{ANNA}"]
    assert desk.world.records[f"states/{ANNA}"]["v"] == 1


def test_an_agreeing_event_writes_only_the_states(desk: Desk) -> None:
    desk.tell(0, "crm.status", "active")
    desk.tell(1, "hlr.status", "active")
    assert list(desk.world.records) == [f"states/{ANNA}"]


def test_ids_of_occurrences_are_kept_and_repeats_counted(desk: Desk) -> None:
    desk.tell(0, "ocs.charge", 5.0, id="c-1")
    desk.tell(1, "ocs.charge", 5.0, id="c-1")
    desk.tell(1, "ocs.credit", 5.0, id="c-2")
    assert len(desk.world.records[f"occurrences/{ANNA}"]["ids"]) == 2
    assert desk.counted == {
        ("yupan_duplicates", STATE): 1,
        ("yupan_not_applicable", "charging"): 1,  # of no transaction
        ("yupan_not_applicable", "charging.recharge"): 1,
    }
    assert f"states/{ANNA}" not in desk.world.records


def test_ids_of_occurrences_live_by_broker_time_not_by_their_own(desk: Desk) -> None:
    desk.tell(0, "ocs.charge", 5.0, id="c-1", arrives=DAY)
    desk.tell(0, "ocs.charge", 5.0, id="c-2", arrives=DAY)
    desk.tell(DAY, "ocs.charge", 5.0, id="c-3", arrives=2 * DAY)
    assert len(desk.world.records[f"occurrences/{ANNA}"]["ids"]) == 3
    desk.tell(DAY + 1, "ocs.charge", 5.0, id="c-4", arrives=2 * DAY + 1)
    assert len(desk.world.records[f"occurrences/{ANNA}"]["ids"]) == 2


def test_of_too_many_ids_the_oldest_goes_and_is_counted(desk: Desk) -> None:
    for n in range(258):
        desk.tell(0, "ocs.charge", 5.0, id=f"c-{n}")
    assert desk.counted["yupan_ids_dropped", STATE] == 2


def test_ledger_records_survive_message_pack(desk: Desk) -> None:
    import msgspec

    diverge(desk)
    desk.tell(20, "ocs.charge", 1, id="c")
    for key, record in list(desk.world.records.items()):
        desk.world.records[key] = msgspec.msgpack.decode(msgspec.msgpack.encode(record))
        assert desk.world.records[key] == record
    desk.tell(25, "hlr.status", "active")
    assert [r["status"] for r in desk.records(ANOMALY)] == ["OPEN", "RESOLVED"]


# --- replays prove the worker


def test_a_replay_decides_with_the_same_ids_as_the_worker(desk: Desk) -> None:
    line = (
        '{"topic": "yupan.state.v1", "id": "e-1", "source": "crm", "record": {"msisdn": "8613800138000", "system": '
        f'"crm", "attribute": "status", "value": "active", "region": "nanchang", "occurred_at": {NOON}}}}}'
    )
    replay = Replay(load_checks())
    lines = [*replay.feed(parse(line)), *replay.finish(NOON + 60 * MIN)]
    diverge(desk)
    assert lines[0]["anomaly_id"] == desk.records(ANOMALY)[0]["anomaly_id"]
