"""A broker or ClickHouse that goes away while workers run: they wait or are restarted, go on, and nothing is lost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from streams.dev import Stack
from streams.parts.kafka import Kafka
from streams.settings import Settings
from tests.conftest import absent
from tests.e2e.kit import Live, contact, msisdn, now_ms, started, state, wait_for, with_key

STATE, CALL, CONTACT = "yupan.state.v1", "yupan.call.v1", "yupan.contact.v1"
ANOMALY, POP, DEAD = "yupan.anomaly.v1", "yupan.screen-pop.v1", "yupan.dead-letter.v1"
ROLES = ("decide", "history")


def restarting(stack: Stack, condition: Callable[[], object]) -> Callable[[], object]:
    """A condition that is waited for while the supervisor starts again what has ended, as `yupan dev` does."""

    def ask() -> object:
        assert stack.supervisor is not None
        stack.supervisor.watch()
        return condition()

    return ask


def shown(stack: Live, name: str, value: float) -> Callable[[], bool]:
    """Whether both roles show `value`."""
    return lambda: all(stack.worker(role).read(name) == value for role in ROLES)


def call(number: str, call_id: str, phase: str) -> dict[str, object]:
    return {"call_id": call_id, "msisdn": number, "phase": phase, "seat": "s-1", "occurred_at": now_ms()}


def test_a_broker_that_is_killed_in_the_middle_is_waited_for(stack: Live) -> None:
    """Longer than a member's session, so that the workers lose their partitions, one in the midst of a transaction.

    Mostly nobody ends; but a step of the Kafka client that was under way may not come back, which ends a worker.
    """
    assert stack.supervisor is not None
    numbers = [msisdn() for _ in range(600)]
    openings = [state(number, "crm", "status", "active") for number in numbers]
    stack.publish(STATE, *openings[:300])
    before = stack.supervisor.restarts
    away(stack, seconds=12)
    stack.publish(STATE, *openings[300:])
    decided_once(stack, numbers)
    ends = [line for role in ROLES for line in stack.worker(role).log.read_text().splitlines() if "CRITICAL" in line]
    assert stack.supervisor.restarts - before == len(ends) <= 1
    assert all("the Kafka client has not answered" in line for line in ends)


def test_a_broker_that_is_killed_while_nothing_happens_is_waited_for(stack: Live) -> None:
    """The workers live on, and their clients do not wait for coordinators of before."""
    assert stack.supervisor is not None
    numbers = [msisdn() for _ in range(600)]
    openings = [state(number, "crm", "status", "active") for number in numbers]
    stack.publish(STATE, *openings[:300])
    stack.read(ANOMALY, until=with_key(*numbers[:300]))
    stack.settle()
    restarts = stack.supervisor.restarts
    away(stack, meanwhile=lambda: doctor_says_who_waits(stack))
    assert doctor(stack)["metrics"]["status"] == "ok"
    stack.publish(STATE, *openings[300:])
    decided_once(stack, numbers)
    assert stack.supervisor.restarts == restarts


def away(stack: Live, seconds: float = 0, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Kill the broker, and start it once both roles show that it is away and it was for so long."""
    assert isinstance(stack.broker, Kafka)
    node = stack.broker.nodes[0]
    node.kill()
    killed = time.monotonic()
    wait_for(restarting(stack, shown(stack, "yupan_broker_up", 0)), 30, what="the broker is away")
    meanwhile()
    wait_for(restarting(stack, lambda: time.monotonic() - killed >= seconds))
    node.start()
    owned = shown(stack, "yupan_assigned_partitions", stack.settings.partitions)
    wait_for(restarting(stack, owned), 90, what="the workers own their partitions again")
    wait_for(restarting(stack, shown(stack, "yupan_broker_up", 1)), 30, what="the broker is back")


def doctor(stack: Live) -> dict[str, dict[str, str]]:
    """What `yupan doctor` finds, by question; the metrics are those of the first worker that decides."""
    return {finding["question"]: finding for finding in stack.yupan("doctor", "--json").lines()}


def doctor_says_who_waits(stack: Live) -> None:
    told = doctor(stack)
    assert (told["kafka"]["status"], told["metrics"]["status"]) == ("fail", "warn")
    assert "no answer from Kafka" in told["kafka"]["text"]
    assert told["metrics"]["text"].endswith("waits for the broker")


def decided_once(stack: Live, numbers: list[str]) -> None:
    """Each of these customers has one anomaly, and one row of their state."""
    stack.read(ANOMALY, until=with_key(*numbers), seconds=60)
    stack.settle()
    opened = Counter(seen.record["msisdn"] for seen in stack.read(ANOMALY))
    assert {number: opened[number] for number in numbers} == dict.fromkeys(numbers, 1)
    rows = stack.clickhouse.query("SELECT msisdn, count() AS n FROM states FINAL GROUP BY msisdn")
    kept = {row["msisdn"]: row["n"] for row in rows}
    assert {number: kept.get(number) for number in numbers} == dict.fromkeys(numbers, 1)


def test_a_clickhouse_that_is_killed_is_waited_for_and_pops_go_on(stack: Live) -> None:
    assert stack.server is not None
    number = msisdn()
    failures = stack.metric("history", "yupan_sink_failures_total", sink="clickhouse")
    stack.publish(CONTACT, *(contact(number, f"before-{n}", "", at=now_ms() - n) for n in range(500)))
    stack.server.kill()
    stack.publish(CONTACT, *(contact(number, f"away-{n}", "", at=now_ms() - n) for n in range(500)))
    wait_for(lambda: stack.metric("history", "yupan_sink_up", sink="clickhouse") == 0)
    assert stack.metric("history", "yupan_sink_failures_total", sink="clickhouse") > failures

    stack.publish(CALL, call(number, f"away-{number}", "OFFERED"))
    (pop,) = (s for s in stack.read(POP, until=with_key(number)) if s.key == number.encode())
    assert len(pop.record["contacts"]) == 20

    stack.server.start()
    found = stack.customer(number, until=lambda customer: len(customer["timeline"]) >= 1000)
    assert {entry["channel"] for entry in found["timeline"]} <= {"WECHAT", "HOTLINE"}
    stack.settle()
    (rows,) = stack.clickhouse.query(f"SELECT count() AS n FROM contacts FINAL WHERE msisdn = '{number}'")
    assert rows["n"] == 1000
    assert stack.metric("history", "yupan_sink_up", sink="clickhouse") == 1
    assert stack.worker("history").log.read_text().count("waiting until it is back") >= 1
    stack.check_workers()


# --- too many dead letters


@pytest.fixture
def little() -> Iterator[Live]:
    """A Yupan of its own to ruin, on the parts that start at once."""
    live = started(Live(Settings().with_(partitions=2), "tansu", "chdb", workers=1), absent)
    try:
        yield live
    finally:
        live.__exit__()


def test_too_many_bad_records_in_a_row_stop_the_worker(little: Live) -> None:
    """A bad deployment fails everything: it shall not empty a topic into dead letters."""
    worker = little.worker("decide")
    for _ in range(6_000):
        little.produce(STATE, b"rubbish", msisdn(1, of=2))
    little.flush()
    wait_for(lambda: not worker.alive)
    assert worker.exit_code == 4
    last = worker.log.read_text().splitlines()[-1]
    assert "events could not be used" in last
    assert "yupan dead-letters list" in last
    assert "Traceback" not in worker.log.read_text()
    assert sum(little.mark(DEAD).values()) <= 1_000
    assert little.worker("history").alive
