"""Usage and areas over partitions in memory: customers lie on all, a cell on one."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from agents.areas import Areas
from agents.intake import Intake
from agents.memory import Delivered, MemoryBatch, World
from agents.ports import Fired
from agents.rules import Checks, load_checks
from agents.shell import Shell
from agents.states import MOST_IDS
from agents.usage import RATE, Usage
from schemas.catalogue import EVENTS
from schemas.codec import codecs
from schemas.errors import RecordError
from schemas.fields import NAME
from schemas.headers import cloud_event
from schemas.partition import partition_of
from tests.agents.desk_world import Counted, audit_of

USAGE, ANOMALY, REMINDER = "yupan.usage.v1", "yupan.anomaly.v1", "yupan.reminder.v1"
NOON = 1_795_320_000_000
S, MIN = 1_000, 60_000
PARTITIONS = 4
CODECS = codecs()
ANNA = "8613800138000"


def customer(number: int) -> str:
    return f"86139{number:08}"


class Network:
    """One worker that owns all partitions; what is brought to an area arrives when `bring` is called."""

    def __init__(self) -> None:
        self.parts = [World() for _ in range(PARTITIONS)]
        for world in self.parts:
            world.clock = NOON
        self.counted = Counted()
        shell = Shell(Intake(CODECS, PARTITIONS), CODECS, self.counted)
        self.audit = audit_of(shell)
        self.usage = Usage(shell, self.audit.conclusions)
        self.areas = Areas(shell, self.audit.conclusions)
        self.brought = [0] * PARTITIONS
        self.numbers = 0

    def message(self, msisdn: str, at: int, result: str, **more: Any) -> Delivered:
        self.numbers += 1
        event_id = more.pop("id", f"u-{self.numbers}")
        told = {"msisdn": msisdn, "kind": "CALL_ATTEMPT", "result": result, "occurred_at": at, **more}
        value = CODECS[USAGE].encode(EVENTS[USAGE].from_json(told))
        place = partition_of(msisdn.encode(), PARTITIONS)
        return Delivered(USAGE, value, msisdn.encode(), cloud_event(USAGE, event_id, "msc", at), 0, at, place)

    def use(self, *messages: Delivered) -> None:
        """Deliver attempts, those of each partition as one batch."""
        for number, world in enumerate(self.parts):
            mine = [message for message in messages if message.partition() == number]
            if mine:
                world.clock = max(world.clock, *(message.timestamp()[1] for message in mine))
                with MemoryBatch(world, USAGE, mine, partition=number) as batch:
                    self.usage.process(batch)

    def counts(self) -> list[dict[str, Any]]:
        """What was told of cells and regions."""
        return [record for record in self.sent(RATE) if record["until"] is None]

    def sent(self, topic: str) -> list[dict[str, Any]]:
        outputs = [output for world in self.parts for output in world.outputs if output.topic == topic]
        return [CODECS[topic].decode(output.value) for output in outputs if output.value is not None]

    def bring(self) -> None:
        """Deliver what was sent to areas and is not delivered yet."""
        for source, world in enumerate(self.parts):
            outputs = [output for output in world.outputs if output.topic == RATE]
            for output in outputs[self.brought[source] :]:
                number = output.partition if output.key is None else partition_of(output.key, PARTITIONS)
                assert number is not None
                message = Delivered(RATE, output.value, output.key, output.headers, 0, NOON, number)
                with MemoryBatch(self.parts[number], RATE, [message], partition=number) as batch:
                    self.areas.process(batch)
            self.brought[source] = len(outputs)

    def pass_time(self, until: int, behind: Collection[int] = ()) -> None:
        """Let deadlines fire and bring what they send. Of partitions that are `behind` usage is not read meanwhile."""
        held = {number: list[Fired]() for number in behind}
        for at in [*range(max(NOON, *(world.clock for world in self.parts)), until, 15 * S), until]:
            for number, world in enumerate(self.parts):
                world.clock = max(world.clock, at)
                while (fired := world.next_due(at)) is not None:
                    if number in behind and not fired.name.startswith("rate/"):
                        held[number].append(fired)
                    else:
                        self.fire(number, fired)
            self.bring()
        for number, late in held.items():
            for fired in late:
                self.parts[number].arm(fired.customer, fired.name, fired.due_at)

    def fire(self, number: int, fired: Fired) -> None:
        agent = self.areas if fired.name.startswith("rate/") else self.usage
        with MemoryBatch(self.parts[number], agent.topics[0], [], [fired], number) as batch:
            agent.process(batch)

    @property
    def rates(self) -> list[tuple[str, str, float]]:
        """The anomalies of cells and regions."""
        return [anomaly for anomaly in self.anomalies if anomaly[0] != "calls"]

    @property
    def anomalies(self) -> list[tuple[str, str, float]]:
        return [(a["check"], a["status"], (a["occurred_at"] - NOON) / MIN) for a in self.sent(ANOMALY)]


@pytest.fixture
def network() -> Network:
    return Network()


def attempts(network: Network, cell: str, at: int, succeeded: int, failed: int, start: int = 0) -> list[Delivered]:
    """Of as many customers, who lie on all partitions."""
    results = ["OK"] * succeeded + ["FAILED"] * failed
    return [network.message(customer(start + n), at + n, result, cell=cell) for n, result in enumerate(results)]


def test_a_cell_is_counted_over_the_customers_of_all_partitions(network: Network) -> None:
    network.use(*attempts(network, "c-1", NOON + 10 * S, 40, 20))
    assert {partition_of(customer(n).encode(), PARTITIONS) for n in range(60)} == set(range(PARTITIONS))
    network.bring()
    network.pass_time(NOON + 3 * MIN)
    assert network.anomalies == [("network-connect-rate", "OPEN", 2.0)]
    (opened,) = network.sent(ANOMALY)
    assert (opened["msisdn"], opened["cell"]) == (None, "c-1")
    assert opened["evidence"] == {"usage.rate": "66.7%", "usage.attempts": "60"}
    assert "小区 c-1" in opened["cause"]["zh"]
    assert "66.7%" in opened["cause"]["en"]
    assert network.sent(REMINDER) == []  # nobody's reminder


def test_a_batch_tells_each_cell_and_minute_once(network: Network) -> None:
    same = [network.message(ANNA, NOON + n * S, "OK", cell="c-1", region="nanchang") for n in range(30)]
    network.use(*same, network.message(ANNA, NOON + 61 * S, "FAILED", cell="c-1"))
    first, second = network.counts()
    assert (first["succeeded"], first["failed"], first["pane"], first["region"]) == (30, 0, NOON, "nanchang")
    assert (second["succeeded"], second["failed"], second["pane"]) == (0, 1, NOON + MIN)
    assert first["occurred_at"] == NOON + 29 * S


def test_the_region_of_a_cell_is_told_with_its_anomaly(network: Network) -> None:
    network.use(*[network.message(customer(n), NOON, "FAILED", cell="c-1", region="nanchang") for n in range(50)])
    network.bring()
    network.pass_time(NOON + 3 * MIN)
    (opened,) = network.sent(ANOMALY)
    assert (opened["cell"], opened["region"]) == ("c-1", "nanchang")


def test_a_region_is_one_of_text_messages(network: Network) -> None:
    sms = [
        network.message(customer(n), NOON, "FAILED", kind="SMS_DELIVERY", region="nanchang", cell="c-1")
        for n in range(60)
    ]
    network.use(*sms)
    network.bring()
    network.pass_time(NOON + 3 * MIN)
    assert network.anomalies == [("sms-delivery-rate", "OPEN", 2.0)]
    (opened,) = network.sent(ANOMALY)
    assert (opened["cell"], opened["region"]) == (None, "nanchang")


def test_a_repeated_attempt_is_not_counted_and_not_told(network: Network) -> None:
    network.use(network.message(ANNA, NOON, "FAILED", cell="c-1", id="same"))
    network.use(network.message(ANNA, NOON, "FAILED", cell="c-1", id="same"))
    assert len(network.counts()) == 1
    assert network.counted.counts["yupan_duplicates", USAGE] == 1


def test_counts_that_come_too_late_for_every_window_are_counted_as_late(network: Network) -> None:
    network.use(*attempts(network, "c-1", NOON + 20 * MIN, 50, 0))
    network.bring()
    network.pass_time(NOON + 30 * MIN)
    network.use(*attempts(network, "c-1", NOON + 10 * MIN, 0, 60, start=100))
    network.bring()
    network.pass_time(NOON + 60 * MIN)
    assert network.anomalies == []
    assert network.counted.counts["yupan_late", "usage"] == 60


def test_counts_that_come_late_join_the_windows_to_come(network: Network) -> None:
    network.use(*attempts(network, "c-1", NOON + 10 * S, 50, 0))
    network.bring()
    network.pass_time(NOON + 2 * MIN + 30 * S)  # the first window is judged
    network.use(*attempts(network, "c-1", NOON + 20 * S, 0, 20, start=100))
    network.bring()
    network.pass_time(NOON + 4 * MIN)
    assert network.anomalies == [("network-connect-rate", "OPEN", 3.0)]


def test_a_worker_that_catches_up_judges_window_after_window(network: Network) -> None:
    for minute in range(8):
        network.use(*attempts(network, "c-1", NOON + minute * MIN, 0 if minute < 2 else 60, 60 if minute < 2 else 0))
    network.bring()
    network.pass_time(NOON + 60 * MIN)
    # minutes 0 and 1 fail: they slide out of the window that ends with minute 7
    assert network.anomalies == [("network-connect-rate", "OPEN", 2.0), ("network-connect-rate", "RESOLVED", 8.0)]


def in_partitions(network: Network, numbers: Collection[int], at: int, share: float, count: int) -> list[Delivered]:
    """So many attempts in cell c-1 of customers of these partitions, of which a share succeeds."""
    told: list[Delivered] = []
    n = 0
    while len(told) < count:
        n += 1
        if partition_of(customer(n).encode(), PARTITIONS) in numbers:
            result = "OK" if len(told) < share * count else "FAILED"
            told.append(network.message(customer(n), at + n, result, cell="c-1"))
    return told


def test_a_window_waits_for_partitions_that_are_behind(network: Network) -> None:
    network.use(*in_partitions(network, range(PARTITIONS), NOON, 1.0, 100))
    network.bring()
    network.pass_time(NOON + 10 * MIN)
    # after an outage partition 0 is read first, and looks bad: 20 minutes later the others are read, too
    behind = range(1, PARTITIONS)
    for minute in range(10, 20):
        network.use(*in_partitions(network, [0], NOON + minute * MIN, 0.85, 60))
    network.bring()
    network.pass_time(NOON + 40 * MIN, behind)
    assert network.rates == []
    for minute in range(10, 20):
        network.use(*in_partitions(network, behind, NOON + minute * MIN, 1.0, 60))
    network.bring()
    network.pass_time(NOON + 60 * MIN)
    assert network.rates == []
    assert ("yupan_late", "usage") not in network.counted.counts


def test_the_first_window_waits_for_partitions_that_have_never_told(network: Network) -> None:
    """A first start with a backlog: partition 0 is read first, and looks bad."""
    behind = range(1, PARTITIONS)
    network.use(*in_partitions(network, [0], NOON, 0.85, 60))
    network.bring()
    network.pass_time(NOON + 20 * MIN, behind)
    assert network.rates == []
    network.use(*in_partitions(network, behind, NOON, 1.0, 180))
    network.bring()
    network.pass_time(NOON + 30 * MIN)
    assert network.rates == []
    assert ("yupan_late", "usage") not in network.counted.counts


def test_partitions_without_any_usage_hold_nobody_up_for_long(network: Network) -> None:
    network.use(*in_partitions(network, [0], NOON, 0.5, 60))
    network.bring()
    network.pass_time(NOON + 4 * MIN)
    assert network.rates == [("network-connect-rate", "OPEN", 2.0)]


def test_a_window_that_was_made_longer_is_judged_when_it_has_passed(network: Network) -> None:
    network.use(*in_partitions(network, range(PARTITIONS), NOON, 0.5, 60))
    network.bring()
    network.audit.conclusions.checks = load_checks(deadlines={"network-connect-rate": 25 * MIN})
    network.pass_time(NOON + 9 * MIN)
    assert network.rates == []
    network.use(*in_partitions(network, range(PARTITIONS), NOON + 9 * MIN, 1.0, 10))
    network.bring()
    network.pass_time(NOON + 30 * MIN)
    assert [(check, status) for check, status, _ in network.rates] == [("network-connect-rate", "OPEN")]


def test_a_window_that_was_held_back_is_judged_as_of_its_own_time(network: Network) -> None:
    network.use(*in_partitions(network, range(PARTITIONS), NOON, 1.0, 100))
    network.bring()
    network.pass_time(NOON + 10 * MIN)
    network.use(*in_partitions(network, [0], NOON + 10 * MIN, 0.5, 60))
    network.bring()
    network.pass_time(NOON + 40 * MIN, [3])
    assert network.rates == []
    network.pass_time(NOON + 60 * MIN)
    assert network.rates == [("network-connect-rate", "OPEN", 12.0)]


def test_nobody_ticks_for_checks_that_were_taken_away(network: Network) -> None:
    network.use(*in_partitions(network, range(PARTITIONS), NOON, 1.0, 100))
    network.audit.conclusions.checks = Checks([])
    network.pass_time(NOON + 10 * MIN)
    assert all(not key.startswith("~ticks/") for world in network.parts for key in world.records)
    assert all(not world.armed for world in network.parts)


def test_what_nobody_counts_leaves_no_trace(network: Network) -> None:
    network.use(network.message(ANNA, NOON, "OK", kind="DATA_SESSION", cell="c-1"))
    assert all(not world.records and not world.outputs for world in network.parts)


def test_a_check_that_was_taken_away_counts_no_more(network: Network) -> None:
    network.use(*attempts(network, "c-1", NOON, 0, 60))
    network.audit.conclusions.checks = Checks([])
    network.bring()
    network.pass_time(NOON + 60 * MIN)
    assert network.anomalies == []


def test_a_cell_with_the_longest_name_is_judged_too(network: Network) -> None:
    network.use(*attempts(network, "很" * NAME, NOON, 0, 60))
    network.bring()
    network.pass_time(NOON + 3 * MIN)
    assert network.anomalies == [("network-connect-rate", "OPEN", 2.0)]


# --- streaks of a customer


def test_a_streak_reminds_the_desk_and_ends_with_a_success(network: Network) -> None:
    for n in range(3):
        network.use(network.message(ANNA, NOON + n * MIN, "FAILED", cause="no_channel"))
    network.use(network.message(ANNA, NOON + 5 * MIN, "OK"))
    assert network.anomalies == [("calls", "OPEN", 2.0), ("calls", "RESOLVED", 5.0)]
    (reminder,) = network.sent(REMINDER)
    assert "no_channel" in reminder["guidance"]["en"]


def test_what_is_remembered_of_a_customers_use_is_bounded_and_small(network: Network) -> None:
    for n in range(MOST_IDS + 2):
        network.use(network.message(ANNA, NOON + n, "OK"))
    (record,) = [world.records[f"used/{ANNA}"] for world in network.parts if world.records]
    assert len(record["ids"]) == MOST_IDS
    assert record["succeeded"] == {"CALL_ATTEMPT": NOON + MOST_IDS + 1}
    assert network.counted.counts["yupan_ids_dropped", USAGE] == 2


def test_an_attempt_of_more_than_a_day_ago_is_refused(network: Network) -> None:
    late = Delivered(
        USAGE,
        network.message(ANNA, NOON, "OK").value(),
        ANNA.encode(),
        [],
        0,
        NOON + 25 * 60 * MIN,
        partition_of(ANNA.encode(), PARTITIONS),
    )
    with pytest.raises(RecordError, match="24 h"):
        network.use(late)


def test_a_cell_without_a_name_is_no_cell(network: Network) -> None:
    network.use(*[network.message(customer(n), NOON, "FAILED", cell="", region="nanchang") for n in range(60)])
    network.bring()
    network.pass_time(NOON + 3 * MIN)
    assert network.anomalies == []
