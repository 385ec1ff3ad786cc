"""The slice's known answer is what the decisions themselves say, here without Kafka and without a clock."""

from __future__ import annotations

from collections import Counter
from zoneinfo import ZoneInfo

from agents.conclude import Conclusions
from agents.desk import Calls
from agents.intake import Intake
from agents.memory import Delivered, MemoryBatch, World
from agents.replay import Input, Replay
from agents.rules import Checks, load_checks
from agents.shell import Shell
from agents.watching import Watching
from benchmarks.slice.day import EVE, Answer, fill, traffic
from schemas.codec import codecs
from schemas.headers import Headers
from schemas.headers import read as by_name
from sinks.producer import EventProducer
from streams.simulate.stage import CALL, STATE

START = 1_795_500_000_000
HOUR = 3_600_000
CUSTOMERS = 400
CODECS = codecs()


class Kept(EventProducer):
    """Keeps what it would send."""

    def __init__(self) -> None:
        super().__init__("nobody:9", CODECS)
        self.kept: list[tuple[str, bytes, bytes, Headers]] = []

    def send(
        self, topic: str, value: bytes | None, key: bytes | None, headers: Headers, partition: int | None = None
    ) -> None:
        self.kept.append((topic, value or b"", key or b"", headers))

    def flush(self) -> dict[tuple[str, int], int]:
        return {}


def two_days() -> tuple[Kept, Answer]:
    producer, answer = Kept(), Answer()
    fill(producer, traffic(START, 3600, 8_000, EVE, CUSTOMERS), answer)
    fill(producer, traffic(START + 2 * HOUR, 3600, 8_000, customers=CUSTOMERS), answer)
    return producer, answer


def test_anomalies() -> None:
    producer, answer = two_days()
    replay, found = Replay(load_checks()), Counter[tuple[str, str]]()
    lines = []
    for topic, value, _, headers in producer.kept:
        if topic == STATE:
            attributes = by_name(headers)
            record = CODECS[STATE].decode(value)
            lines += replay.feed(Input(STATE, record, attributes["ce_id"], attributes["ce_source"]))
    lines += replay.finish(START + 24 * HOUR)
    found.update((line["msisdn"], line["status"]) for line in lines if line["kind"] == "anomaly")
    assert found == answer.anomalies
    assert answer.changes("OPEN") > answer.changes("RESOLVED") > 10


def test_pops_and_the_mix() -> None:
    producer, answer = two_days()
    world = World()
    shell = Shell(Intake(CODECS, 0, events_clock=True), CODECS, act_within=24 * HOUR)
    desk = Calls(shell, Watching(shell, Conclusions(shell, Checks([])), ZoneInfo("Asia/Shanghai")))
    for number, (topic, value, key, headers) in enumerate(producer.kept):
        if topic == CALL:
            message = Delivered(CALL, value, key, headers, number, START)
            with MemoryBatch(world, CALL, [message]) as batch:
                desk.process(batch)
    told = Counter(output.topic for output in world.outputs)
    assert told == {"yupan.tagged-call.v1": answer.events[CALL], "yupan.screen-pop.v1": answer.pops}
    assert answer.events == Counter(topic for topic, *_ in producer.kept)
    assert len(answer.customers) == CUSTOMERS
