"""Lines for `yupan publish` (contracts, "JSON lines")."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.catalogue import EVENTS
from schemas.errors import RecordError
from schemas.json_lines import Item, Lines

STATE = EVENTS["yupan.state.v1"]
CALL = EVENTS["yupan.call.v1"]


def state_line(**changes: Any) -> str:
    return json.dumps({**STATE.examples[0], **changes})


def read(line: str, country_code: str = "86") -> Item:
    return Lines(STATE, country_code).read(line)


@pytest.mark.parametrize(
    ("number", "country_code"),
    [
        ("13800138000", "86"),
        ("+86 138-0013-8000", "86"),
        ("008613800138000", "86"),
        ("8613800138000", "86"),
        ("8613800138000", "852"),
    ],
)
def test_national_numbers_get_the_country_code(number: str, country_code: str) -> None:
    item = read(state_line(msisdn=number), country_code)
    assert (item.record["msisdn"], item.key) == ("8613800138000", "8613800138000")


@pytest.mark.parametrize(
    ("number", "country_code", "wanted"),
    [
        ("4155551234", "1", "14155551234"),
        ("+1 (415) 555-1234", "1", "14155551234"),
        ("14155551234", "1", "14155551234"),  # for 86 a national number
        ("13800138000", "1", "13800138000"),
        ("91234567", "852", "85291234567"),
        ("+85291234567", "852", "85291234567"),
        ("66123456", "853", "85366123456"),
        ("+85291234567", "86", "85291234567"),
    ],
)
def test_every_country_that_may_be_set_has_numbers_of_its_own(number: str, country_code: str, wanted: str) -> None:
    assert read(state_line(msisdn=number), country_code).record["msisdn"] == wanted


@pytest.mark.parametrize(
    ("number", "country_code"), [("+13800138000", "86"), ("1155551234", "1"), ("21234567", "852"), ("4155551234", "86")]
)
def test_what_is_no_national_number_is_not_completed(number: str, country_code: str) -> None:
    with pytest.raises(RecordError) as caught:
        read(state_line(msisdn=number), country_code)
    assert (caught.value.reason, caught.value.field) == ("bad_msisdn", "msisdn")


def test_id_and_source_are_the_lines_own() -> None:
    item = read(state_line(id="e-1", source="crm-north"))
    assert (item.id, item.source) == ("e-1", "crm-north")
    assert "id" not in item.record


def test_without_source_it_is_the_system() -> None:
    assert read(state_line()).source == "crm"


def test_the_same_content_has_the_same_id_however_it_is_written() -> None:
    data = STATE.examples[0]
    shuffled = json.dumps(dict(reversed(data.items())), indent=None, separators=(" ,", " : "))
    spelled = state_line(occurred_at=1795320000000, msisdn="13800138000", transaction=None, details={})
    assert read(state_line()).id == read(shuffled).id == read(spelled).id
    assert read(state_line(value="closed")).id != read(state_line()).id


@pytest.mark.parametrize(
    ("line", "reason", "text"),
    [
        ("", "not_json", "truncated"),
        ("{", "not_json", "truncated"),
        ('{"value": NaN}', "not_json", "malformed"),
        ("[1]", "not_json", "is no JSON object"),
        (state_line(id=7), "bad_type", "id: should be a string"),
        (state_line(source=""), "bad_type", "source: should be a string"),
        (state_line(msisdn=8613800138000), "bad_type", "msisdn: is an integer, should be a string"),
        (state_line(msisdn="12"), "bad_msisdn", "msisdn: no MSISDN"),
        (state_line(system="13800138000"), "bad_value", r"system: '138\*\*\*\*8000' is not one of"),
        (state_line(text="8613800138000"), "bad_value", "text: no such field"),
        (state_line(value=10**30), "bad_type", "value: does not fit a 64-bit integer"),
    ],
)
def test_a_bad_line_names_field_and_reason(line: str, reason: str, text: str) -> None:
    with pytest.raises(RecordError, match=text) as caught:
        read(line)
    assert caught.value.reason == reason


def test_a_line_that_is_no_text_is_bad() -> None:
    with pytest.raises(RecordError) as caught:
        Lines(STATE, "86").read(b'{"msisdn": "\xff"}')
    assert caught.value.reason == "not_json"


def test_a_byte_order_mark_is_no_part_of_the_line() -> None:
    line = state_line()
    assert Lines(STATE, "86").read(b"\xef\xbb\xbf" + line.encode()) == read("\ufeff" + line) == read(line)


def test_a_call_keeps_the_key_of_its_first_phase() -> None:
    lines = Lines(CALL, "86")

    def key(**fields: Any) -> str | None:
        data = {"call_id": "c-1", "phase": "QUEUED", "occurred_at": 1795320000000, **fields}
        return lines.read(json.dumps(data)).key

    assert key(phase="IVR_ENTERED", msisdn="13800138000") == "8613800138000"
    assert key() == "8613800138000"
    assert key(call_id="c-2") == "c-2"
    assert key(call_id="c-2", msisdn="13800138000") == "c-2"


@pytest.mark.parametrize("within", ["", "details"], ids=["line", "object in it"])
def test_a_name_that_stands_twice_is_refused_since_readers_disagree_which_one_counts(within: str) -> None:
    twice = '"value": "active", "value": "suspended"'
    line = state_line(details={}).replace('"details": {}', f'"details": {{{twice}}}' if within else twice)
    with pytest.raises(RecordError) as raised:
        read(line)
    assert (raised.value.reason, raised.value.field) == ("bad_value", "value")
