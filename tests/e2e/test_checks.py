"""`yupan checks explain` and `backtest` over the wire: a customer's present, and a changed check on what has come."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka.admin import AdminClient

from agents.incident import Alerting
from agents.rules import SHIPPED
from schemas.fields import iso, millis
from schemas.masking import mask
from schemas.topics import TOPICS
from tests.e2e.conftest import DEADLINE_MS
from tests.e2e.kit import Live, msisdn, now_ms, state, wait_for, with_key, yupan

ANOMALY, COMMAND, STATE = "yupan.anomaly.v1", "yupan.command.v1", "yupan.state.v1"
QUIET_S = Alerting().wait / 1000 + 2
LIMIT = 6 * DEADLINE_MS
"""The longer deadline of a changed check."""


class Past(NamedTuple):
    """What has come: who never agreed, who did after the deadline, who before it."""

    since: str
    never: list[str]
    late: list[str]
    quick: list[str]


@pytest.fixture(scope="module")
def past(stack: Live) -> Past:
    stack.settle()
    time.sleep(LIMIT / 1000)  # what other tests have begun would open later, too, with the longer deadline
    began = now_ms()
    never, late, quick = ([msisdn() for _ in range(6)] for _ in range(3))
    stack.publish(STATE, *(state(number, "crm", "status", "active", began) for number in (*never, *late, *quick)))
    stack.publish(STATE, *(state(number, "hlr", "status", "active", began + 1_000) for number in quick))
    opened = stack.read(ANOMALY, until=with_key(*never, *late))
    assert not {number.encode() for number in quick} & {seen.key for seen in opened}
    stack.publish(STATE, *(state(number, "hlr", "status", "active", began + 2 * DEADLINE_MS) for number in late))
    stack.settle()
    return Past(iso(began), never, late, quick)


def backtested(stack: Live, past: Past, *words: str, **settings: str) -> dict[str, Any]:
    environ = {**stack.settings.environ(), **settings}
    command = ("checks", "backtest", *(words or ("activation",)), "--from", past.since, "--json")
    answer = yupan(*command, environ=environ)
    found: dict[str, Any] = json.loads(answer.out)
    assert answer.code == int(any(found[kind] for kind in ("opened", "missed", "sooner", "later"))), answer.err
    assert "events in" in answer.err
    return found


def counts(found: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(found[kind] for kind in ("opened", "missed", "sooner", "later", "same"))


@pytest.fixture
def untouched(stack: Live) -> Iterator[None]:
    """Nothing is written to any topic, no group comes or moves."""
    before = _traces(stack)
    while not _stays(stack, before):
        before = _traces(stack)
    yield
    assert _traces(stack) == before


def _stays(stack: Live, before: Any) -> bool:
    """Whether the workers have told technicians all that they still had to."""
    time.sleep(QUIET_S)
    return bool(_traces(stack) == before)


def _traces(stack: Live) -> tuple[Any, ...]:
    client = AdminClient({"bootstrap.servers": stack.settings.kafka})
    groups = sorted(group.group_id for group in client.list_consumer_groups().result().valid)
    return {topic: dict(stack.mark(topic)) for topic in TOPICS if "ledger" not in topic}, groups


@pytest.mark.usefixtures("untouched")
def test_an_unchanged_check_decides_the_same_and_leaves_no_trace(stack: Live, past: Past) -> None:
    found = backtested(stack, past)
    assert counts(found) == (0, 0, 0, 0, len(past.never) + len(past.late))
    assert found["examples"] == []
    assert found["events"] >= 30
    assert found["events_per_s"] > 0


def test_another_deadline_opens_sooner_or_later_and_what_healed_meanwhile_is_missed(stack: Live, past: Past) -> None:
    found = backtested(stack, past, YUPAN_DEADLINES="activation=500ms")
    assert counts(found) == (len(past.quick), 0, len(past.never) + len(past.late), 0, 0)
    assert {one["by_s"] for one in found["examples"] if one["what"] == "sooner"} == {DEADLINE_MS / 1000 - 0.5}
    wait_for(lambda: now_ms() > _ms(past) + LIMIT + 4_000, what="the longer deadline")
    found = backtested(stack, past, YUPAN_DEADLINES=f"activation={LIMIT}ms")
    assert counts(found) == (0, len(past.late), 0, len(past.never), 0)
    masked = {mask(number) for number in past.late}
    assert {one["msisdn"] for one in found["examples"] if one["what"] == "missed"} <= masked


def test_a_changed_mapping_is_compared_by_customer(stack: Live, past: Past, tmp_path: Path) -> None:
    text = (SHIPPED / "activation.yaml").read_text("utf-8")
    changed = text.replace("- [active, active]", "- [active, barred]\n  - [suspended, active]")
    assert changed != text
    (tmp_path / "activation.yaml").write_text(changed, "utf-8")
    found = backtested(stack, past, YUPAN_CHECKS=str(tmp_path))
    assert counts(found) == (len(past.quick), 0, 0, 0, len(past.never) + len(past.late))


def test_the_period_says_what_is_compared(stack: Live, past: Past) -> None:
    assert counts(backtested(stack, past, "activation", "--to", iso(_ms(past) + DEADLINE_MS))) == (0, 0, 0, 0, 0)
    answer = stack.yupan("checks", "backtest", "activation", "--from", past.since, "--to", past.since)
    assert answer.code == 2
    assert "--to is not after --from" in answer.err


def test_what_a_person_has_withdrawn_is_followed(stack: Live, past: Past) -> None:
    number = past.never[0]
    [opened] = [seen.record for seen in stack.read(ANOMALY) if seen.key == number.encode()]
    order = {"kind": "WITHDRAW", "anomaly_id": opened["anomaly_id"], "msisdn": number, "staff": "1001"}
    stack.publish(COMMAND, {**order, "command_id": f"k-{number}", "occurred_at": now_ms()})
    stack.settle()
    assert counts(backtested(stack, past))[:4] == (0, 0, 0, 0)
    entry = explained(stack, number, "activation")
    assert (entry["verdict"], entry["anomaly"]) == ("divergent", None)


def test_a_watch_list_is_compared_by_its_reminders(stack: Live, past: Past, tmp_path: Path) -> None:
    number = msisdn()
    at = now_ms()
    stack.publish(STATE, state(number, "crm", "status", "half_suspended", at))
    stack.read("yupan.reminder.v1", until=lambda found: any(_is_stopped(seen.key, number) for seen in found))
    since = past._replace(since=iso(at))
    stack.settle()
    wait_for(lambda: now_ms() > at + 3_000, what="the end of the time in which workers may be behind")
    assert counts(backtested(stack, since, "watch:stopped")) == (0, 0, 0, 0, 1)
    text = (SHIPPED / "watch.stopped.yaml").read_text("utf-8")
    changed = text.replace("values: [suspended, half_suspended]", "values: [suspended]")
    assert changed != text
    (tmp_path / "watch.stopped.yaml").write_text(changed, "utf-8")
    found = backtested(stack, since, "watch:stopped", YUPAN_CHECKS=str(tmp_path))
    assert counts(found) == (0, 1, 0, 0, 0)
    entry = explained(stack, number, "watch:stopped")
    assert (entry["verdict"], entry["states"]["crm.status"]["value"]) == ("stands", "half_suspended")


def _is_stopped(key: bytes | None, number: str) -> bool:
    return (key or b"").startswith(f"{number}|watch-stopped-".encode())


def _ms(past: Past) -> int:
    return millis(past.since)


# --- explain


def explained(stack: Live, number: str, check: str) -> dict[str, Any]:
    answer = stack.yupan("checks", "explain", number, "--check", check, "--json")
    assert answer.code == 0, answer.err
    [entry] = json.loads(answer.out)["checks"]
    return dict(entry)


def test_a_customer_is_explained(stack: Live, past: Past) -> None:
    number = past.never[1]
    [opened] = [seen.record for seen in stack.read(ANOMALY) if seen.key == number.encode()]
    entry = explained(stack, number, "activation")
    assert entry["verdict"] == "divergent"
    assert entry["anomaly"]["anomaly_id"] == opened["anomaly_id"]
    assert entry["anomaly"]["opened_at"] == iso(opened["opened_at"])
    assert entry["states"] == {
        "crm.status": {"value": "active", "since": past.since},
        "hlr.status": {"value": None, "since": None},
    }
    assert explained(stack, past.late[0], "activation")["verdict"] == "consistent"
    text = stack.yupan("checks", "explain", number[2:])
    assert text.code == 0
    assert "activation               divergent" in text.out


def test_what_is_no_number_is_not_repeated(stack: Live) -> None:
    answer = stack.yupan("checks", "explain", "12345678901234567")
    assert answer.code == 2
    assert "12345678901234567" not in answer.err
    assert stack.yupan("checks", "explain", msisdn(), "--check", "no-such").code == 2
