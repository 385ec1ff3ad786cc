"""Dead letters of a bad deployment, replayed once a good one runs; and the limit that stops the bad one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from schemas.fields import iso
from tests.e2e import odd_worker
from tests.e2e.kit import Live, Seen, encoded, msisdn, now_ms, state, wait_for, with_key

STATE, ANOMALY, DEAD = "yupan.state.v1", "yupan.anomaly.v1", "yupan.dead-letter.v1"
RUN = 20
FEW = 3


def active(number: str) -> bytes:
    """A state that a deployment of ours cannot digest, and that opens an anomaly where one can."""
    return encoded(STATE, state(number, "crm", "status", "active", region=odd_worker.RAISES))


class Past(NamedTuple):
    """What the bad deployment left."""

    since: str
    few: tuple[str, ...]
    """Customers of letters that came one by one."""
    all: tuple[str, ...]
    code: int | None
    log: str


@pytest.fixture(scope="module")
def past(stack: Live) -> Past:
    """A bad deployment dead-letters a few events, then meets a crowd of them and stops; the good one is back."""
    since, numbers = iso(now_ms()), tuple(msisdn() for _ in range(FEW + 4 * RUN))
    limit = {"YUPAN_DEAD_LETTER_RUN": str(RUN), "YUPAN_DEAD_LETTER_SHARE": "0.6"}
    with stack.instead("tests.e2e.odd_worker", **limit) as odd:
        for number in numbers[:FEW]:
            stack.produce(STATE, active(number), number)
        stack.flush()
        stack.read(DEAD, until=with_key(*numbers[:FEW]))
        for number in numbers[FEW:]:
            stack.produce(STATE, active(number), number)
        stack.flush()
        wait_for(lambda: not odd.alive, what="the limit")
        code, log = odd.exit_code, odd.log.read_text()
    stack.settle()
    dead = {seen.key for seen in stack.read(DEAD)}
    stack.read(ANOMALY, until=with_key(*(number for number in numbers if number.encode() not in dead)))
    return Past(since, numbers[:FEW], numbers, code, log)


def rows(stack: Live, past: Past) -> Mapping[str, dict[str, Any]]:
    """The letters of the bad deployment, by place."""
    found = stack.yupan("dead-letters", "list", "--json", "--reason", "agent_raised", "--limit", "1000").lines()
    return {row["place"]: row for row in found if row["at"] >= past.since}


def replayed(stack: Live, *words: str) -> dict[str, Any]:
    answer = stack.yupan("dead-letters", "replay", "--reason", "agent_raised", "--json", *words)
    assert answer.code == 0, answer.err
    done: dict[str, Any] = json.loads(answer.out)
    return done


def test_the_limit_stops_the_worker_with_one_line_and_loses_nothing(stack: Live, past: Past) -> None:
    assert past.code == 4
    lines = [line for line in past.log.splitlines() if "CRITICAL" in line]
    assert len(lines) == 1, past.log
    assert "YUPAN_DEAD_LETTER_RUN" in lines[0]
    assert "exit code 4" in lines[0]
    assert past.log.rstrip().endswith(lines[0])
    dead = {seen.key for seen in stack.read(DEAD)}
    opened = {seen.key for seen in stack.read(ANOMALY)}
    keys = {number.encode() for number in past.all}
    assert keys <= dead | opened
    assert not keys & dead & opened
    assert FEW <= len(keys & dead) < FEW + 2 * RUN + 1


def test_what_is_replayed_succeeds_is_marked_and_is_not_replayed_again(stack: Live, past: Past) -> None:
    before = rows(stack, past)
    assert {row["status"] for row in before.values()} == {"waiting"}
    mark = stack.mark(STATE)
    assert replayed(stack, "--from", past.since, "--dry-run")["would_replay"] == len(before)
    assert stack.mark(STATE) == mark
    done = replayed(stack, "--from", past.since)
    assert (done["replayed"], done["skipped"]) == (len(before), 0)
    stack.read(ANOMALY, until=with_key(*past.all))

    wait_for(lambda: {row["status"] for row in rows(stack, past).values()} == {"succeeded"}, every=0.5)
    assert rows(stack, past).keys() == before.keys()
    again = replayed(stack, "--from", past.since)
    assert (again["replayed"], again["skipped"]) == (0, len(before))
    stack.settle()
    opened = [seen.key for seen in stack.read(ANOMALY) if seen.key and seen.key.decode() in past.all]
    assert len(opened) == len(past.all)


def test_what_fails_again_waits_under_its_new_place(stack: Live, past: Past) -> None:
    """A cause that is not mended: the key is still another's. It stops nobody, and counts its attempts."""
    number, other, since = msisdn(), msisdn(), iso(now_ms())

    def ours(found: list[Seen]) -> list[Seen]:
        return [seen for seen in found if seen.key == other.encode() and "yupan.error.type" in seen.headers]

    stack.produce(STATE, active(number), other)
    stack.flush()
    stack.read(DEAD, until=with_key(other))
    for attempt in (1, 2):
        words = ("dead-letters", "replay", "--reason", "wrong_key", "--from", since, "--json")
        assert json.loads(stack.yupan(*words).out)["replayed"] == 1
        letters = ours(stack.read(DEAD, until=lambda found, n=attempt: len(ours(found)) > n))
        assert [seen.headers["yupan.error.attempt"] for seen in letters] == [str(n + 1) for n in range(attempt + 1)]
    assert len({seen.headers["yupan.error.first_failed_at"] for seen in letters}) == 1
    listed = stack.yupan("dead-letters", "list", "--json", "--reason", "wrong_key").lines()
    assert [row["status"] for row in listed if row["at"] >= since] == ["failed", "failed", "waiting"]
