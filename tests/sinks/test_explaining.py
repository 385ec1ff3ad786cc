"""The answer of `yupan checks explain`, built from what is stored."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agents.rules import load_checks
from schemas.fields import iso
from sinks.history import HistoryWriter
from streams.explaining import IS_OFF, NOT_BY_THESE, OF_AREAS, OF_USAGE, UNTOLD, explained, lines_of
from streams.settings import Settings
from tests.agents.replaying import ANNA, HOUR, MIN, NOON
from tests.sinks.conftest import Event

STATE, LIST, CUSTOMER, CALL = (f"yupan.{name}.v1" for name in ("state", "list", "customer", "call"))
SETTINGS = Settings()


class History:
    """Writes rows as a worker of the role `history` would; what arrives, arrives later by a second each."""

    def __init__(self, db):
        self.db = db
        self.offset = 0

    def store(self, topic, record, at, arrived=None, msisdn=ANNA):
        self.offset += 1
        writer = HistoryWriter(self.db)
        told = {"msisdn": msisdn, **record, "occurred_at": at}
        arrived = at + self.offset if arrived is None else arrived
        writer.add(Event(topic, told, id=f"e-{self.offset}", key=msisdn, offset=self.offset, arrived_at=arrived))
        assert writer.flush() == []

    def state(self, name, value, at, arrived=None, **more):
        system, _, attribute = name.partition(".")
        self.store(STATE, {"system": system, "attribute": attribute, "value": value, **more}, at, arrived)

    def tell(self, check, watch):
        """What is open of a check is being repaired, and the reminder of a watch list stands."""
        opened = {name: check["anomaly"][name] for name in ("anomaly_id", "evidence")}
        record = {**opened, "check": check["check"], "status": "REPAIRING", "severity": "MAJOR", "cause_code": "c"}
        record |= {"trigger_id": "e", "opened_at": NOON + 10 * MIN, "reason": "deadline_passed"}
        self.store("yupan.anomaly.v1", record, NOON + 10 * MIN)
        reminder = {"reminder_id": "watch-told", "kind": "WATCH", "source_id": watch["check"], "severity": "WARNING"}
        self.store("yupan.reminder.v1", {**reminder, "title": {"en": "x"}}, NOON)

    def explain(self, now, *ids, settings=SETTINGS):
        checks = load_checks()
        known = {**checks.by_id, **checks.watches}
        found = explained(self.db, settings, [known[i] for i in ids or known], ANNA, now)
        return {(entry["check"], entry["subject"]): entry for entry in found["checks"]}

    def one(self, now, check, subject=None):
        return self.explain(now, check)[check, subject]


def test_of_an_unknown_customer_everything_is_consistent_and_never_seen(db):
    found = History(db).explain(NOON)
    checks = load_checks()
    assert {check for check, _ in found} == {*checks.by_id, *checks.watches}
    notes = {check: entry["note"] for (check, _), entry in found.items() if entry["verdict"] is None}
    assert notes == {"calls": OF_USAGE, "network-connect-rate": OF_AREAS, "sms-delivery-rate": OF_AREAS}
    others = [entry for entry in found.values() if entry["verdict"] is not None]
    assert {entry["verdict"] for entry in others} == {"consistent"}
    assert all(state["value"] in (None, 0) for entry in others for state in entry["states"].values())
    assert found["activation", None]["states"]["hlr.status"] == {"value": None, "since": None}


def test_a_difference_propagates_until_its_deadline_and_is_open_from_then_on(db):
    history = History(db)
    history.state("crm.status", "active", NOON)
    history.state("hlr.status", "barred", NOON + MIN)
    history.state("hlr.status", "barred", NOON + 5 * MIN)
    before, after = (history.one(NOON + minutes * MIN, "activation") for minutes in (9, 11))
    assert (before["verdict"], before["deadline"], before["anomaly"]) == ("propagating", iso(NOON + 10 * MIN), None)
    assert before["states"]["hlr.status"] == {"value": "barred", "since": iso(NOON + MIN)}
    assert (after["verdict"], after["deadline"]) == ("divergent", None)
    assert after["anomaly"]["opened_at"] == iso(NOON + 10 * MIN)
    assert after["anomaly"]["status"] == "OPEN"


def test_agreement_resolves_and_a_value_outside_the_mapping_is_not_judged(db):
    history = History(db)
    history.state("crm.status", "active", NOON)
    history.state("hlr.status", "active", NOON + HOUR)
    assert history.one(NOON + 2 * HOUR, "activation")["verdict"] == "consistent"
    history.state("hlr.status", "on fire", NOON + 3 * HOUR)
    assert history.one(NOON + 4 * HOUR, "activation")["verdict"] == "not_applicable"


def test_a_counterpart_that_arrives_after_its_deadline_finds_the_anomaly_open(db):
    """As in a worker: the reference of 9:59 that comes at 10:05 changes the evidence of what opened at 10:00."""
    history = History(db)
    history.state("crm.status", "active", NOON)
    history.state("hlr.status", "barred", NOON)
    history.state("crm.status", "half_suspended", NOON + 10 * MIN - 1000, arrived=NOON + 15 * MIN)
    assert history.one(NOON + 16 * MIN, "activation")["verdict"] == "divergent"
    by_events = SETTINGS.with_(clock="events")
    assert history.explain(0, "activation", settings=by_events)["activation", None]["verdict"] == "propagating"


def test_each_product_and_each_transaction_that_is_not_settled_is_told(db):
    history = History(db)
    for product, told in (("video", True), ("music", False)):
        history.state(f"crm.subscription.{product}", told, NOON)
    history.state("crm.charge", 19.9, NOON, transaction="T-1")
    history.state("ocs.charge", 19.9, NOON + MIN, transaction="T-1")
    history.state("crm.charge", 5, NOON, transaction="T-2")
    found = history.explain(NOON + 5 * MIN, "subscription", "charging")
    told = {name: entry["verdict"] for name, entry in found.items()}
    assert told == {
        ("subscription", "video"): "propagating",
        ("subscription", "music"): "consistent",
        ("charging", "T-2"): "propagating",
    }
    assert found["charging", "T-2"]["states"]["crm.charge"]["value"] == "5"
    assert found["charging", "T-2"]["states"]["ocs.charge"]["value"] is None


def test_what_a_person_has_withdrawn_stays_divergent_and_is_not_open(db):
    history = History(db)
    history.state("crm.status", "active", NOON)
    opened = history.one(NOON + HOUR, "activation")["anomaly"]
    record = {
        "anomaly_id": opened["anomaly_id"], "check": "activation", "severity": "MAJOR", "cause_code": "c",
        "evidence": opened["evidence"], "trigger_id": "e-1", "opened_at": NOON + 10 * MIN,
    }  # fmt: skip
    history.store("yupan.anomaly.v1", {**record, "status": "OPEN", "reason": "deadline_passed"}, NOON + 10 * MIN)
    told = {**record, "status": "ACKNOWLEDGED", "reason": "acknowledged by 1001"}
    history.store("yupan.anomaly.v1", told, NOON + 20 * MIN)
    assert history.one(NOON + HOUR, "activation")["anomaly"]["status"] == "ACKNOWLEDGED"
    told = {**record, "status": "WITHDRAWN", "reason": "withdrawn by 1001: planned: works"}
    history.store("yupan.anomaly.v1", told, NOON + 30 * MIN)
    found = history.one(NOON + HOUR, "activation")
    assert (found["verdict"], found["anomaly"], found["deadline"]) == ("divergent", None, None)


def test_what_only_the_history_holds_open_is_told_as_such(db):
    history = History(db)
    record = {
        "status": "OPEN", "severity": "MAJOR", "cause_code": "c", "evidence": {"usage.failures": "3"},
        "trigger_id": "e", "opened_at": NOON, "reason": "failures_in_a_row",
    }  # fmt: skip
    history.store("yupan.anomaly.v1", {**record, "anomaly_id": "a", "check": "calls"}, NOON)
    history.store("yupan.anomaly.v1", {**record, "anomaly_id": "b", "check": "activation", "evidence": {}}, NOON)
    calls, activation = (history.one(NOON + MIN, check) for check in ("calls", "activation"))
    assert (calls["verdict"], calls["anomaly"]["anomaly_id"], calls["note"]) == ("divergent", "a", OF_USAGE)
    assert (activation["verdict"], activation["note"]) == ("consistent", NOT_BY_THESE)
    assert activation["anomaly"]["anomaly_id"] == "b"


def test_watch_lists_are_told_with_what_they_read(db):
    history = History(db)
    history.state("crm.status", "suspended", NOON)
    history.state("ocs.balance", 3.5, NOON)
    history.store(CUSTOMER, {"facts": {"monthly_fee": 19.0, "brand": "GOTONE"}}, NOON)
    history.store(LIST, {"list": "watch:roaming-bill", "action": "ADD", "valid_to": NOON + HOUR}, NOON)
    for number in range(3):
        call = {"call_id": f"c-{number}", "hotline": "10010"}
        history.store(CALL, {**call, "phase": "ANSWERED", "staff": "1"}, NOON + number * MIN)
        history.store(CALL, {**call, "phase": "ENDED", "staff": None}, NOON + number * MIN + 1000)
    found = {check: entry for (check, _), entry in history.explain(NOON + 5 * MIN).items() if ":" in check}
    stands = {check for check, entry in found.items() if entry["verdict"] == "stands"}
    assert stands == {"watch:stopped", "watch:low-balance", "watch:roaming-bill", "watch:frequent"}
    assert found["watch:low-balance"]["states"] == {
        "ocs.balance": {"value": 3.5, "since": iso(NOON)},
        "fact.monthly_fee": {"value": 19.0, "since": None},
    }
    assert found["watch:roaming-bill"]["reminder"]["until"] == iso(NOON + HOUR)
    assert history.one(NOON + 2 * HOUR, "watch:roaming-bill")["verdict"] == "consistent"


def test_people_read_it_in_their_time_zone(db):
    history = History(db)
    history.state("crm.status", "active", NOON)
    checks = load_checks()
    told = [checks.by_id[name] for name in ("activation", "calls")]
    found = explained(db, SETTINGS, told, ANNA, NOON + HOUR)
    lines = list(lines_of(found, "Asia/Shanghai"))
    assert lines[0].split() == ["activation", "divergent"]
    assert "    crm.status active, since 2026-11-22 12:00:00" in lines
    assert "    hlr.status never seen" in lines
    assert any(line.startswith("    OPEN since 2026-11-22 12:10:00, anomaly ") for line in lines)
    assert lines[-2:] == [f"{'calls':<24} not in the history", f"    {OF_USAGE}"]


def by_mode(db, mode, now=NOON + HOUR):
    """What is said of activation and of the list of stopped numbers while the mode of both is `mode`."""
    files = load_checks().files
    asked = [replace(files[name], mode=mode) for name in ("activation", "watch:stopped")]
    return explained(db, SETTINGS, asked, ANNA, now)["checks"]


@pytest.mark.parametrize("mode", ["on", "shadow"])
def test_whether_anybody_was_told_says_the_history_not_the_mode_of_now(db, mode):
    history = History(db)
    history.state("crm.status", "suspended", NOON)
    check, watch = by_mode(db, mode)
    assert (check["verdict"], watch["verdict"]) == ("divergent", "stands")
    assert (check["note"], watch["note"]) == (UNTOLD, UNTOLD)
    history.tell(check, watch)
    check, watch = by_mode(db, mode)
    assert (check["note"], check["anomaly"]["status"]) == (None, "REPAIRING")
    assert (watch["note"], watch["reminder"]["reminder_id"]) == (None, "watch-told")


def test_what_is_open_under_another_id_is_told_once(db):
    """As where the wait began before the check was there: the one that the desk knows is the history's."""
    history = History(db)
    history.state("crm.status", "suspended", NOON)
    check, watch = by_mode(db, "on")
    check["anomaly"]["anomaly_id"] = "another"
    history.tell(check, watch)
    check, _ = by_mode(db, "on")
    assert (check["anomaly"]["anomaly_id"], check["anomaly"]["status"], check["note"]) == ("another", "REPAIRING", None)


def test_what_is_off_says_so_and_what_it_would_say(db):
    history = History(db)
    history.state("crm.status", "suspended", NOON)
    assert by_mode(db, "off", NOON + MIN)[0]["deadline"] is None
    check, watch = by_mode(db, "off")
    assert (check["verdict"], check["anomaly"], check["note"]) == ("divergent", None, IS_OFF)
    assert (watch["verdict"], watch["reminder"], watch["note"]) == ("stands", None, IS_OFF)
    history.tell(*by_mode(db, "on"))  # before it was switched off
    check, watch = by_mode(db, "off")
    assert (check["anomaly"]["status"], check["note"]) == ("REPAIRING", IS_OFF)
    assert (watch["reminder"]["reminder_id"], watch["note"]) == ("watch-told", IS_OFF)
