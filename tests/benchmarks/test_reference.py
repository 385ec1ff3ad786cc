"""The reference work is judged rightly, and its figures become the right ratios."""

from __future__ import annotations

import os

import pytest
from confluent_kafka import Producer

from benchmarks.common import pace
from benchmarks.common.place import Place
from benchmarks.reference import broker, program
from benchmarks.reference.bench import Bench, Run
from benchmarks.reference.program import EVENTS
from benchmarks.reference.rounds import RATIOS, Found, summary
from benchmarks.reference.steps import steps
from benchmarks.reference.verdict import WrongResultError, _customer, judge
from benchmarks.reference.work import Job, answer, encode
from benchmarks.results import line
from streams.parts.kafka import Kafka

FEW = 2_000


def runs(rates: dict[str, list[float]]) -> Found:
    return Found({system: [Run(rate, 6.0, 10.0, 5.0) for rate in found] for system, found in rates.items()}, {})


def test_ratios_are_ours_divided_by_the_others() -> None:
    found = summary(runs({"yupan": [90, 120, 1], "yupan_rocksdb": [80], "plain": [100], "kafka_streams_eos": [40]}))
    assert found["reference_work"] == {"yupan": 90, "yupan_rocksdb": 80, "plain": 100, "kafka_streams_eos": 40}
    assert found["ratios"] == {"plain": 0.9, "rocksdb_plain": 0.8, "kafka_streams_eos": 2.0}


def test_every_peer_has_its_ratio() -> None:
    assert {other for _, other in RATIOS.values()} == set(EVENTS) - {"yupan", "yupan_rocksdb"}


@pytest.mark.parametrize(
    ("speed", "yupan", "jvm", "quick"), [(1.0, 1_200_000, 2_400_000, 1_800_000), (0.25, 300_000, 1_200_000, 1_200_000)]
)
def test_a_slow_machine_has_fewer_events_a_run(
    monkeypatch: pytest.MonkeyPatch, speed: float, yupan: int, jvm: int, quick: int
) -> None:
    monkeypatch.setattr(pace, "pace", lambda: speed)
    assert program.events(quick=False)["yupan"] == yupan
    assert (program.events(quick=False)["kafka_streams"], program.events(quick=True)["kafka_streams"]) == (jvm, quick)


def test_the_pace_of_this_machine_is_within_its_bounds() -> None:
    assert pace.LEAST <= pace.pace() <= pace.MOST


@pytest.mark.parametrize("key", [b"work/86138", b'"86138"', b'86138|"work"', b"86138"])
def test_the_customer_is_found_in_every_changelogs_key(key: bytes) -> None:
    assert _customer(key) == "86138"


def test_parts_become_one_line() -> None:
    found = {
        "reference": {"ratios": {"plain": 1.2}, "runs": {}},
        "slice": {"ratios": {"reference": 0.4}, "slice": {"events_per_s": 3}},
        "restore": {"records": 5, "seconds": 1},
    }
    assert line(found) == {
        "ratios": {"plain": 1.2, "reference": 0.4},
        "reference": {"runs": {}},
        "slice": {"events_per_s": 3},
        "restore": {"records": 5, "seconds": 1},
    }


@pytest.fixture
def job(kafka: Kafka, prefix: str) -> Job:
    made = Job("plain", kafka.bootstrap, prefix, prefix + "in", 0, "")
    broker.create(kafka.bootstrap, made.out, compacted=made.changelog)
    return made


def write(job: Job, outputs: list[tuple[int, int]], counts: dict[str, int]) -> None:
    producer = Producer({"bootstrap.servers": job.bootstrap, "partitioner": "murmur2_random", "linger.ms": 5})
    for output in outputs:
        producer.produce(job.out, encode(output))
    for customer, count in counts.items():
        producer.produce(job.changelog, encode({"n": count, "value": 0.5}), customer)
    assert producer.flush(20) == 0


def test_the_right_answer_passes(job: Job) -> None:
    right = answer(FEW)
    write(job, list(right.outputs.items()), right.counts)
    assert judge(job, right).events_per_s > 0


@pytest.mark.parametrize("damage", ["lost=1", "doubled=1", "wrong=1", "the state of 1 of"])
def test_a_wrong_answer_has_no_figure(job: Job, damage: str) -> None:
    right = answer(FEW)
    outputs, counts = list(right.outputs.items()), dict(right.counts)
    if damage == "lost=1":
        outputs.pop()
    elif damage == "doubled=1":
        outputs.append(outputs[0])
    elif damage == "wrong=1":
        outputs[0] = (outputs[0][0], outputs[0][1] + 1)
    else:
        counts[next(iter(counts))] += 1
    write(job, outputs, counts)
    with pytest.raises(WrongResultError, match=damage):
        judge(job, right)


def test_the_systems_do_the_work(kafka: Kafka) -> None:
    usable = sorted(os.sched_getaffinity(0))
    bench = Bench(Place(kafka, usable[0], usable[-1]), lambda _: None)
    for system in ("yupan_rocksdb", "plain"):
        assert bench.measure(system, 1, FEW).events_per_s > 0


def test_each_step_costs_something(kafka: Kafka, prefix: str) -> None:
    broker.create(kafka.bootstrap, prefix)
    broker.publish(kafka.bootstrap, {prefix: FEW})
    found = steps(kafka.bootstrap, prefix, FEW)
    assert list(found) == ["reading", "decoding", "deciding"]
    assert found["decoding"] > 0
