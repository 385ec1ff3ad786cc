"""`yupan dead-letters` on what bad input left behind."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from schemas.errors import DEAD_LETTER_REASONS
from tests.e2e.kit import CODECS, Live, Seen, encoded, msisdn, state

STATE, SEAT, DEAD = "yupan.state.v1", "yupan.seat.v1", "yupan.dead-letter.v1"
NUMBER = msisdn()


@pytest.fixture(scope="module")
def places(stack: Live) -> Mapping[str, str]:
    """Dead letters of ours: case to PARTITION:OFFSET."""
    good = encoded(STATE, state(NUMBER, "crm", "status", "active", details={"told by": NUMBER}))
    cases = {
        "json": (STATE, json.dumps({"msisdn": NUMBER}).encode(), NUMBER),
        "bytes": (STATE, good[:-4], NUMBER),
        "key": (STATE, good, msisdn()),
        "seat": (SEAT, b"\x00\xff", "seat-1"),
    }
    for case, (topic, value, key) in cases.items():
        stack.produce(topic, value, key, [("ce_source", b"boss"), ("x-listed", case.encode())])
    stack.flush()

    def ours(found: list[Seen]) -> dict[str, str]:
        return {s.headers["x-listed"]: f"{s.partition}:{s.offset}" for s in found if "x-listed" in s.headers}

    return ours(stack.read(DEAD, until=lambda found: ours(found).keys() == cases.keys()))


def test_the_list_has_a_line_each_and_sums(stack: Live, places: Mapping[str, str]) -> None:
    answer = stack.yupan("dead-letters", "list", "--limit", "1000")
    assert answer.code == 0, answer.err
    lines = {line.split()[0]: line for line in answer.out.splitlines()}
    assert places["key"] in lines
    assert "wrong_key" in lines[places["key"]]
    assert "wrong_key  from yupan.state.v1" in answer.err
    assert "not_avro  from yupan.seat.v1" in answer.err
    assert NUMBER not in answer.out + answer.err


def test_the_list_for_programs(stack: Live, places: Mapping[str, str]) -> None:
    rows = {row["place"]: row for row in stack.yupan("dead-letters", "list", "--json", "--limit", "1000").lines()}
    row = rows[places["json"]]
    assert (row["reason"], row["stage"], row["source"]) == ("not_avro", "yupan-decide", "boss")
    assert row["from"].startswith("yupan.state.v1/")
    assert {row["reason"] for row in rows.values()} <= set(DEAD_LETTER_REASONS)


def test_the_list_by_reason_topic_and_number(stack: Live, places: Mapping[str, str]) -> None:
    by_reason = stack.yupan("dead-letters", "list", "--json", "--reason", "wrong_key").lines()
    assert {row["reason"] for row in by_reason} == {"wrong_key"}
    by_topic = stack.yupan("dead-letters", "list", "--json", "--topic", SEAT).lines()
    assert places["seat"] in {row["place"] for row in by_topic}
    assert all(row["from"].startswith(SEAT) for row in by_topic)
    assert len(stack.yupan("dead-letters", "list", "--json", "--limit", "2").lines()) == 2
    none = stack.yupan("dead-letters", "list", "--json", "--reason", "gossip")
    assert (none.code, none.out, none.err) == (0, "", "no dead letters\n")


@pytest.mark.parametrize("case", ["json", "bytes", "key"])
def test_one_is_shown_masked(stack: Live, places: Mapping[str, str], case: str) -> None:
    masked = f"{NUMBER[:5]}****{NUMBER[-4:]}"
    answer = stack.yupan("dead-letters", "show", places[case])
    assert answer.code == 0, answer.err
    assert NUMBER not in answer.out
    assert masked in answer.out
    revealed = stack.yupan("dead-letters", "show", places[case], "--reveal")
    assert NUMBER in revealed.out
    assert masked not in json.dumps(json.loads(revealed.out)["record"])


def test_one_that_can_be_read_is_shown_as_a_record(stack: Live, places: Mapping[str, str]) -> None:
    shown = json.loads(stack.yupan("dead-letters", "show", places["key"], "--reveal").out)
    assert shown["record"]["msisdn"] == NUMBER
    assert shown["headers"] == {"ce_source": "boss", "x-listed": "key"}
    assert (shown["reason"], shown["truncated"]) == ("wrong_key", False)
    assert shown["record"].keys() == CODECS[STATE].event.fields.keys()


@pytest.mark.parametrize("place", ["here", "0:99999999", "99:0", "1:-1"])
def test_a_place_where_nothing_is_ends_with_2(stack: Live, place: str) -> None:
    answer = stack.yupan("dead-letters", "show", "--", place)
    assert (answer.code, answer.out) == (2, "")
    assert "yupan dead-letters list" in answer.err
    assert len(answer.err.splitlines()) == 1
