"""The command `checks replay` itself: what it reads, prints and answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from agents.rules import changes, load_checks
from schemas.fields import iso
from streams import cli
from streams.commands import checks
from streams.settings import Settings
from tests.agents.replaying import ANNA, BERT, HOUR, MIN, NOON, Replaying, state

DAY = 24 * 60


def test_one_line_a_change_of_status_with_exactly_the_contracts_fields(replay: Replaying) -> None:
    found = replay([state(0, "crm.status", "active", id="e-1"), state(25, "hlr.status", "active")])
    opened, resolved = found.anomalies
    assert opened == {
        "kind": "anomaly",
        "at": "2026-11-22T04:10:00.000Z",
        "check": "activation",
        "msisdn": ANNA,
        "status": "OPEN",
        "anomaly_id": opened["anomaly_id"],
        "evidence": {"crm.status": "active", "hlr.status": "never seen"},
        "reason": "deadline_passed",
    }
    assert resolved["at"] == "2026-11-22T04:25:00.000Z"
    assert found.code == 0


def test_other_decisions_have_another_kind_and_no_status(replay: Replaying) -> None:
    found = replay([state(0, "crm.status", "active"), state(25, "hlr.status", "active")])
    others = [line for line in found.lines if line["kind"] != "anomaly"]
    assert [(line["kind"], "withdrawn" in line) for line in others] == [
        ("reminder", False),
        ("alert", False),
        ("reminder", True),
    ]
    assert not any("status" in line for line in others)
    assert others[1]["told"] == "FIRING"
    assert others[2]["withdrawn"] == "RESOLVED: agrees_again"
    assert others[2]["at"] == "2026-11-22T04:25:00.000Z"


def test_nothing_decided_prints_nothing(replay: Replaying) -> None:
    found = replay([])
    assert (found.code, found.lines, found.err) == (0, [], "")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "Input data was truncated (not_json)"),
        ("[]", "is no JSON object (not_json)"),
        ("[" * 5_000, "maximum recursion depth exceeded"),
        ('{"topic": "yupan.state.v1", "record": {}, "id": "\\ud800"}', "Input data was truncated (not_json)"),
        ('{"record": {}}', "topic: is missing (missing_field)"),
        ('{"topic": "yupan.stat.v1", "record": {}}', "topic: is no topic of ours (bad_value)"),
        ('{"topic": ["yupan.state.v1"], "record": {}}', "topic: is no topic of ours (bad_value)"),
        ('{"topic": "yupan.state.v1"}', "record: is missing (missing_field)"),
        ('{"topic": "yupan.state.v1", "record": 5}', "record: is no JSON object (bad_type)"),
        ('{"topic": "yupan.state.v1", "record": {}, "ids": 1}', "ids: no such field"),
        ('{"topic": "yupan.state.v1", "record": {}, "id": 1}', "id: is no text (bad_type)"),
        ('{"topic": "yupan.state.v1", "record": {}, "id": ""}', "id: is empty (bad_value)"),
        ('{"topic": "yupan.state.v1", "record": {}, "source": ""}', "source: is empty (bad_value)"),
        (
            '{"topic": "yupan.state.v1", "topic": "yupan.state.v1", "record": {}}',
            "topic: stands here twice (bad_value)",
        ),
        ('{"topic": "yupan.state.v1", "record": {"value": 1, "value": 2}}', "value: stands here twice (bad_value)"),
        ('{"topic": "yupan.state.v1", "record": {}}', "msisdn: is missing (missing_field)"),
        (json.dumps(state(0, "fax.status", "on")), "system: 'fax' is not one of"),
        (json.dumps(state(0, "crm.status", [])), "value: "),
        (json.dumps(state(0, "crm.status", "a", msisdn="13800138000")), "msisdn: a national number"),
        (json.dumps(state(0, "crm.status", "a", occurred_at="noon")), "occurred_at: "),
    ],
)
def test_a_bad_line_is_reported_with_number_field_and_reason_and_the_others_are_judged(
    replay: Replaying, line: str, said: str
) -> None:
    found = replay([state(0, "crm.status", "active"), "", line, state(30, "ocs.account", "open")])
    assert found.story == [(10, "OPEN")]
    assert f"line 3: {said}" in found.err
    assert found.err.endswith("\n1 line could not be used\n")
    assert "Traceback" not in found.err
    assert found.code == 1


def test_a_byte_order_mark_is_no_part_of_the_first_line(replay: Replaying) -> None:
    found = replay(["\ufeff" + json.dumps(state(0, "crm.status", "active"))], until=60)
    assert (found.story, found.err, found.code) == ([(10, "OPEN")], "", 0)


def test_an_occurrence_more_than_24_h_before_the_clock_is_too_late(replay: Replaying) -> None:
    events = [state(0, "crm.status", None), state(-DAY, "ocs.charge", 1.0), state(-DAY - 1, "ocs.charge", 1.0)]
    found = replay(events)
    assert found.err.splitlines()[0].startswith("line 3: occurred_at: ")
    assert found.err.splitlines()[0].endswith("(too_late)")
    assert found.code == 1


def test_amounts_without_transaction_and_other_topics_are_read_and_open_nothing(replay: Replaying) -> None:
    contact = {"contact_id": "k", "channel": "WEB", "direction": "IN", "kind": "MESSAGE", "occurred_at": iso(NOON)}
    events = [
        state(0, "crm.charge", 5),
        state(0, "crm.charge", 5),
        {"topic": "yupan.contact.v1", "record": contact},
        {"topic": "yupan.customer.v1", "record": {"msisdn": ANNA, "facts": {"brand": "GOTONE"}, "occurred_at": NOON}},
    ]
    found = replay(events, until=60)
    assert (found.code, found.lines, found.err) == (0, [], "")


def test_only_the_named_checks_are_asked(replay: Replaying) -> None:
    events = [state(0, "crm.status", "active")]
    assert replay(events, "--check", "activation", until=60).story == [(10, "OPEN")]
    unknown = replay(events, "--check", "activtion", until=60)
    assert unknown.code == 2
    assert "no check 'activtion'; `yupan checks list` prints activation" in unknown.err
    assert "no check '86138****8000'" in replay(events, "--check", ANNA, until=60).err


def test_stdin_is_read(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    text = json.dumps(state(0, "crm.status", "active")).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert cli.run(["checks", "replay", "-", "--json", "--until", iso(NOON + HOUR)]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["status"] == "OPEN"


def test_a_file_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["checks", "replay", "no-such-file.jsonl"]) == 2
    assert capsys.readouterr().err == "yupan: no-such-file.jsonl: cannot be read (No such file or directory)\n"


def test_until_without_offset_is_in_the_time_zone_of_the_settings(replay: Replaying) -> None:
    events = [state(0, "crm.status", "active")]
    assert replay(events, "--until", "2026-11-22T12:10:00").story == []
    assert replay(events, "--until", "2026-11-22T12:10:01").story == [(10, "OPEN")]
    assert replay(events, "--until", str(NOON + 10 * MIN + 1)).story == [(10, "OPEN")]
    assert "--until: 'tomorrow' is neither" in replay(events, "--until", "tomorrow").err


def test_until_before_the_newest_event_does_not_turn_the_clock_back(replay: Replaying) -> None:
    events = [state(0, "crm.status", "active"), state(30, "ocs.account", "open"), state(20, "ocs.account", "open")]
    found = replay(events, until=29)
    assert (found.code, found.story) == (0, [(10, "OPEN")])
    assert found.err == "--until: is before the newest event, of 2026-11-22T04:30:00.000Z, where the clock stays\n"
    assert replay(events, until=30).err == ""
    refused = state(90, "crm.status", "active", msisdn="13800138000")  # moves no clock
    assert "--until" not in replay([*events, refused], until=30).err


def test_alerts_are_in_the_language_of_the_settings(replay: Replaying, monkeypatch: pytest.MonkeyPatch) -> None:
    def summaries() -> list[str]:
        found = replay([state(0, "crm.status", "active")], until=60)
        return [line["summary"] for line in found.lines if line["kind"] == "alert"]

    assert summaries() == ["激活异常：1 项异常，hlr.status.missing"]
    monkeypatch.setenv("YUPAN_LANGUAGE", "en")
    assert summaries() == ["Activation fails: 1 anomaly, hlr.status.missing"]


def test_people_read_it_as_text_in_their_language(
    replay: Replaying, capsys: pytest.CaptureFixture[str], tmp_path: object
) -> None:
    replay([state(0, "crm.status", "active"), state(25, "hlr.status", "active", msisdn=BERT)])
    assert cli.run(["checks", "replay", f"{tmp_path}/events.jsonl"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert "activation OPEN (deadline_passed): crm.status active, hlr.status never seen" in out[0]
    assert out[1].endswith("激活")
    assert "Z  -              alert     FIRING: 激活异常" in out[2]


def test_a_deadline_of_the_settings_holds_in_replays(replay: Replaying, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YUPAN_DEADLINES", "activation=5min")
    assert replay([state(0, "crm.status", "active")], until=60).story == [(5, "OPEN")]


# --- the other commands


def test_list_and_show_print_every_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["checks", "list", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"id": "activation", "kind": "agree", "within": "10 min", "severity": "MAJOR"}.items() <= rows[0].items()
    assert cli.run(["checks", "show", "activation", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["systems"] == ["crm.status", "hlr.status"]
    assert shown["mapping"][0] == ["active", "active"]
    assert set(shown["wording"]) == {"zh", "en"}
    assert cli.run(["checks", "show", "activation"]) == 0
    out = capsys.readouterr().out
    assert "\n  crm.status\n" in out
    assert "\nalert:\n  by: region\n  at_least: 1\n  wait: 10 s\n  guidance: " in out
    assert "\n  arguments:\n    status: {wanted.hlr.status}\n" in out
    assert "\n  within: 5 min\n  mode: off\n" in out
    assert cli.run(["checks", "show", "charging"]) == 0
    assert "\ntwo_sided:\n  true\n" in capsys.readouterr().out
    assert cli.run(["checks", "show", "nothing"]) == 2


def test_who_copies_what_show_prints_into_a_file_gets_the_same_check(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shipped = load_checks()
    monkeypatch.setattr(checks, "_load", lambda: (Settings(), shipped))
    for number, one in enumerate(shipped.files.values()):
        assert cli.run(["checks", "show", one.id, "--json"]) == 0
        shown = {name: value for name, value in json.loads(capsys.readouterr().out).items() if value is not None}
        assert shown.pop("file") == str(one.file)
        if "repair" in shown:
            assert shown["repair"].pop("mode") == "off"  # a setting says it
        text = yaml.safe_dump({**shown, "cases": []}, allow_unicode=True)
        (tmp_path / f"{number}.yaml").write_text(text, "utf-8")
    copied = load_checks([tmp_path])
    assert {one.file.parent for one in copied.files.values()} == {tmp_path}
    assert str(changes(shipped, copied)) == "nothing is different"


def test_show_says_when_nothing_is_learned(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_learned", lambda settings, check: {})
    assert cli.run(["checks", "show", "activation", "--learned"]) == 0
    assert capsys.readouterr().out.endswith(
        "learned:\n  nothing yet: no states are stored by which its systems came to agree\n"
    )
    assert cli.run(["checks", "show", "activation", "--learned", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["learned"] == {}


def test_test_runs_the_cases_and_fails_when_a_rule_is_changed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.run(["checks", "test"]) == 0
    assert capsys.readouterr().out.endswith(" 0 decided otherwise than expected\n")
    monkeypatch.setenv("YUPAN_DEADLINES", "activation=8min")
    assert cli.run(["checks", "test", "activation"]) == 1
    assert "expected nothing" in (once := capsys.readouterr().out)
    assert cli.run(["checks", "test", "activation", "activation"]) == 1
    assert capsys.readouterr().out == once


def test_a_broken_check_of_an_operator_is_one_line_with_file_and_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    with open(f"{tmp_path}/mine.yaml", "w", encoding="utf-8") as file:
        file.write("id: mine\nkind: agree\n")
    monkeypatch.setenv("YUPAN_CHECKS", str(tmp_path))
    assert cli.run(["checks", "list"]) == 2
    assert capsys.readouterr().err == f"yupan: {tmp_path}/mine.yaml:1: title is missing\n"
