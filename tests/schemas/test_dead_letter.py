"""What a dead letter holds: the record as it came, and why it could not be used."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from schemas import headers as wire
from schemas.dead_letter import MAX_KEY, MAX_VALUE, DeadLetter, dead_letter, mark, revived
from schemas.errors import RecordError

NOW = 1795320000000


@dataclass
class Raw:
    """A Kafka record."""

    own_value: bytes | None = b"value"
    own_key: bytes | None = b"8613800138000"
    own_headers: wire.Headers | None = None

    def topic(self) -> str:
        return "yupan.state.v1"

    def partition(self) -> int:
        return 3

    def offset(self) -> int:
        return 17

    def key(self) -> bytes | None:
        return self.own_key

    def value(self) -> bytes | None:
        return self.own_value

    def headers(self) -> wire.Headers | None:
        return self.own_headers


def errors(letter: DeadLetter) -> dict[str, str]:
    read = wire.read(letter.headers)
    return {k.removeprefix(wire.ERROR): v for k, v in read.items() if k.startswith(wire.ERROR)}


def test_it_says_where_who_why_and_when() -> None:
    raw = Raw(own_headers=[("ce_id", b"e-1"), ("ce_id", b"e-2"), ("blob", b"\xff\x00")])
    letter = dead_letter(raw, RecordError("bad_value", "is not one of a, b", "system"), "yupan-decide", NOW)
    assert (letter.value, letter.key) == (b"value", b"8613800138000")
    assert letter.headers[:3] == raw.own_headers
    assert errors(letter) == {
        "topic": "yupan.state.v1",
        "partition": "3",
        "offset": "17",
        "stage": "yupan-decide",
        "type": "bad_value",
        "message": "system: is not one of a, b",
        "attempt": "1",
        "first_failed_at": "2026-11-22T04:00:00.000Z",
    }


def test_our_own_fault_is_named_and_numbers_in_its_text_are_masked() -> None:
    found = errors(dead_letter(Raw(), KeyError("8613800138000"), "yupan-decide", NOW))
    assert found["type"] == "agent_raised"
    assert found["message"] == "KeyError: '86138****8000'"


def test_a_replayed_record_that_fails_again_counts_its_attempts() -> None:
    first = dead_letter(Raw(), RecordError("bad_time", "late"), "yupan-decide", NOW)
    again = Raw(own_headers=revived(first.headers, "3:17"))
    second = errors(dead_letter(again, RecordError("bad_time", "late"), "yupan-decide", NOW + 60_000))
    assert (second["attempt"], second["first_failed_at"]) == ("2", "2026-11-22T04:00:00.000Z")


def test_replaying_brings_back_the_original_headers() -> None:
    raw = Raw(own_headers=[("ce_id", b"e-1"), ("traceparent", b"00-1-2-01")])
    letter = dead_letter(raw, RecordError("bad_time", "late"), "yupan-decide", NOW)
    back = [h for h in revived(letter.headers, "3:17") if not h[0].startswith(wire.ERROR)]
    assert back == [*(raw.own_headers or ()), (wire.REPLAYED, b"3:17")]


def test_who_is_replayed_twice_carries_the_place_of_the_last_letter_alone() -> None:
    first = dead_letter(Raw(), RecordError("bad_time", "late"), "yupan-decide", NOW)
    second = dead_letter(Raw(own_headers=revived(first.headers, "3:17")), KeyError("bug"), "yupan-decide", NOW)
    assert wire.read(second.headers)[wire.REPLAYED] == "3:17"
    places = [value for name, value in revived(second.headers, "3:40") if name == wire.REPLAYED]
    assert places == [b"3:40"]


def test_a_mark_names_its_letter_and_the_replayed_record() -> None:
    made = mark("3:17", "yupan.state.v1", 2, 55)
    assert (made.value, made.key) == (None, b"3:17")
    assert wire.read(made.headers) == {"yupan.replayed": "3:17", "yupan.replayed.to": "yupan.state.v1/2@55"}


def test_what_is_too_large_is_cut_and_says_so() -> None:
    raw = Raw(b"v" * 2_000_000, b"k" * 20_000, [("ce_id", b"e-1"), ("blob", b"x" * 100_000), ("more", b"")])
    letter = dead_letter(raw, RecordError("too_large", "2000000 bytes"), "yupan-decide", NOW)
    assert (len(letter.value or b""), len(letter.key or b"")) == (MAX_VALUE, MAX_KEY)
    assert errors(letter)["truncated"] == "value of 2000000 bytes, key of 20000 bytes, 2 headers"
    assert letter.headers[0] == ("ce_id", b"e-1")
    size = sum(len(n) + len(v) for n, v in letter.headers) + MAX_VALUE + MAX_KEY
    assert size < 1_000_000


@pytest.mark.parametrize("empty", [None, b""])
def test_nothing_stays_nothing(empty: bytes | None) -> None:
    letter = dead_letter(Raw(empty, empty), RecordError("not_avro", "nothing"), "yupan-decide", NOW)
    assert (letter.value, letter.key) == (empty, empty)
    assert "truncated" not in errors(letter)


@pytest.mark.parametrize("forged", [b"minus one", "٣".encode(), b"9" * 400, b""])
def test_a_forged_attempt_is_no_attempt(forged: bytes) -> None:
    raw = Raw(own_headers=[("yupan.error.attempt", forged)])
    assert errors(dead_letter(raw, RecordError("bad_time", "late"), "s", NOW))["attempt"] == "1"


def test_a_foreign_exceptions_own_reason_is_no_label() -> None:
    with pytest.raises(UnicodeDecodeError) as raised:
        b"\xff".decode("utf-8")
    assert raised.value.reason == "invalid start byte"
    assert errors(dead_letter(Raw(), raised.value, "yupan-decide", NOW))["type"] == "agent_raised"
