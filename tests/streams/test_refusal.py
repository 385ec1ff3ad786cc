"""Our own faults are told with their place and without the customer; upstream's are not told at all."""

from __future__ import annotations

import json
import logging

import pytest

from agents.memory import Delivered
from agents.ports import Fired
from schemas import headers as wire
from schemas.errors import RecordError
from streams.engine.clock import ManualClock
from streams.refusal import Refusal

NUMBER = "8613800138000"
EVENT = Delivered("yupan.state.v1", b"\x00value", NUMBER.encode(), [("ce_id", b"7")], 42)


def raised(text: str) -> Exception:
    try:
        raise ValueError(text)
    except ValueError as error:
        return error


def test_a_fault_of_ours_is_logged_once_a_place_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    refuse = Refusal("yupan-decide", ManualClock(0))
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            topic, value, key, headers = refuse(EVENT, raised(f"no state of {NUMBER}"))
    assert (topic, value, key) == ("yupan.dead-letter.v1", EVENT.value(), EVENT.key())
    assert wire.read(headers)["yupan.error.type"] == "agent_raised"
    (record,) = caplog.records
    assert "ValueError" in record.getMessage()
    assert "test_refusal.py" in record.getMessage()
    assert NUMBER not in record.getMessage()


def test_an_unusable_event_is_no_fault_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    refuse = Refusal("yupan-decide", ManualClock(0))
    _, _, _, headers = refuse(EVENT, RecordError("bad_time", "before 1990"))
    assert wire.read(headers)["yupan.error.type"] == "bad_time"
    assert caplog.records == []


def test_a_deadline_that_raises_leaves_a_dead_letter_with_all_headers() -> None:
    refuse = Refusal("yupan-decide", ManualClock(1_795_320_000_000))
    topic, value, key, headers = refuse(Fired(NUMBER, "check/activation", 1_795_319_999_000), raised("x"))
    assert (topic, key) == ("yupan.dead-letter.v1", NUMBER.encode())
    assert json.loads(value or b"") == {"deadline": "check/activation", "due_at": 1_795_319_999_000}
    names = {name.removeprefix("yupan.error.") for name, _ in headers if name.startswith("yupan.error.")}
    assert names == {"topic", "partition", "offset", "stage", "type", "message", "attempt", "first_failed_at"}


def test_a_deadlines_name_may_hold_a_number_which_no_header_shows() -> None:
    refuse = Refusal("yupan-decide", ManualClock(1_795_320_000_000))
    fired = [Fired(who, f"call/sip-{NUMBER}", 1_795_319_999_000) for who in (NUMBER, "8613800138001")]
    letters = [wire.read(refuse(one, raised("x"))[3]) for one in fired]
    assert letters[0]["yupan.error.message"] == "ValueError at the deadline call/sip-86138****8000"
    assert all(NUMBER not in text and "13800138001" not in text for letter in letters for text in letter.values())
    assert letters[0]["ce_id"] != letters[1]["ce_id"]
    assert wire.read(refuse(fired[0], raised("x"))[3])["ce_id"] == letters[0]["ce_id"]
