"""The faults: each a function that does something to a run on its way; its first line is what the table says of it."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka.admin import AdminClient

from streams.parts.kafka import KafkaNode
from streams.parts.part import Part
from tests.faults.ground import SESSION_MS, set_clock
from tests.faults.scene import DECIDE, Scene
from tests.faults.workload import PARTITIONS, Workload

Act = Callable[[Scene], None]
Prepare = Callable[[Workload, random.Random], None]


@dataclass(frozen=True)
class Fault:
    """A kind of fault. `fewest`: deciding workers that it needs; `settings`: of all workers."""

    name: str
    act: Act
    brokers: int = 1
    fewest: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)
    prepare: Prepare | None = None

    @property
    def what(self) -> str:
        """The fault in a line."""
        return (self.act.__doc__ or "").strip().splitlines()[0]


FAULTS: dict[str, Fault] = {}


def fault(**more: Any) -> Callable[[Act], Act]:
    """Enter a function into the table under its own name."""

    def enter(act: Act) -> Act:
        name = act.__name__
        FAULTS[name] = Fault(name, act, **more)
        return act

    return enter


# --- workers that die


@fault()
def kill_workers(scene: Scene) -> None:
    """Workers of both roles are killed (kill -9) at random moments."""
    for moment in scene.moments(4):
        scene.until(moment)
        scene.some_worker().kill()


def die_at(scene: Scene, *points: str, role: str = "decide", times: int = 3) -> None:
    """Let workers kill themselves at these points, one after the other."""
    for number, moment in enumerate(scene.moments(times)):
        scene.until(moment)
        scene.strike(points[number % len(points)], role)
    assert scene.strikes, f"no worker came to {points}"


@fault()
def die_in_batch(scene: Scene) -> None:
    """A worker dies in the middle of a batch."""
    die_at(scene, "in-batch")


@fault()
def die_before_commit(scene: Scene) -> None:
    """A worker dies before it commits: before and after the offsets are part of the transaction."""
    die_at(scene, "before-send_offsets_to_transaction", "before-commit_transaction")


@fault()
def die_after_commit(scene: Scene) -> None:
    """A worker dies right after a commit, before it notes that anything was committed."""
    die_at(scene, "after-commit_transaction")


@fault()
def die_after_pops(scene: Scene) -> None:
    """A worker dies when its pops are acknowledged and the transaction is not committed."""
    die_at(scene, "after-pops")


@fault(settings={"rocksdb": True})
def die_in_recovery(scene: Scene) -> None:
    """A worker dies, and so does the next one, when it has restored a piece of its ledger, which is on disk."""
    for moment in scene.moments(2):
        scene.until(moment)
        scene.strike("in-recovery", "decide", scene.some_worker("decide").kill)


@fault(fewest=2)
def die_in_rebalance(scene: Scene) -> None:
    """A worker dies while partitions are revoked or assigned."""
    for moment, point in zip(scene.moments(3), ("before-revoke", "after-revoke", "in-assign"), strict=True):
        scene.until(moment)
        scene.wait_owned("decide")  # who is added to a rebalance under way takes nothing away from anybody
        scene.strike(point, "decide", lambda: scene.add("decide"))
        scene.remove(scene.workers("decide")[-1])


@fault()
def die_in_history(scene: Scene) -> None:
    """A history worker dies when its rows are inserted and its offsets are not committed."""
    die_at(scene, "after-sink", "before-offsets", role="history")


# --- workers that pause, come and go


@fault(fewest=2)
def pause_worker(scene: Scene) -> None:
    """A worker is paused (SIGSTOP) past its session, loses its partitions, and wakes up (SIGCONT): a zombie."""
    scene.until(scene.chance.uniform(0.2, 0.7))
    worker = scene.some_worker("decide")
    others = [other for other in scene.workers("decide") if other is not worker]
    worker.send(signal.SIGSTOP)
    try:
        scene.sleep(SESSION_MS / 1000)
        scene.wait(lambda: sum(other.assigned() for other in others) == PARTITIONS, "the others take over")
    finally:
        worker.send(signal.SIGCONT)


@fault()
def pause_alone(scene: Scene) -> None:
    """The only worker is paused past its session in the middle of work: nobody takes over, it goes on by itself."""
    for worker in scene.workers("decide")[1:]:
        scene.remove(worker)
    scene.until(scene.chance.uniform(0.2, 0.7))
    [worker] = scene.workers("decide")
    worker.send(signal.SIGSTOP)
    try:
        scene.sleep(SESSION_MS / 1000 + scene.chance.uniform(0, 3))
    finally:
        worker.send(signal.SIGCONT)


@fault()
def add_and_remove_workers(scene: Scene) -> None:
    """Workers of both roles join and leave (SIGTERM) all the time."""
    for moment in scene.moments(4):
        scene.until(moment)
        role = scene.chance.choice(("decide", "decide", "history"))
        if len(scene.workers(role)) > 1 and scene.chance.random() < 0.5:
            scene.remove(scene.some_worker(role))
        else:
            scene.add(role)


@fault(settings={"rocksdb": True})
def kill_with_rocksdb(scene: Scene) -> None:
    """A worker with a name, static membership and a RocksDB ledger is killed and comes back under its name."""
    for moment in scene.moments(3):
        scene.until(moment)
        scene.some_worker("decide").kill()


# --- the broker


def away(scene: Scene, node: KafkaNode, seconds: float, *, kill: bool) -> None:
    """A broker ends, and comes back after so long."""
    if kill:
        node.kill()
    else:
        node.send(signal.SIGTERM)
        scene.wait(lambda: not node.alive, "the broker stops")
    scene.sleep(seconds)
    node.launch()
    scene.wait(node.ready, f"{node.name} is back")


@fault()
def stop_broker(scene: Scene) -> None:
    """The only broker is stopped in order and started again."""
    scene.until(scene.chance.uniform(0.1, 0.8))
    away(scene, scene.ground.kafka.nodes[0], scene.chance.uniform(0, 4), kill=False)


@fault()
def kill_broker(scene: Scene) -> None:
    """The only broker is killed (kill -9) and started again."""
    scene.until(scene.chance.uniform(0.1, 0.8))
    away(scene, scene.ground.kafka.nodes[0], scene.chance.choice((0, 3, 8)), kill=True)


@fault()
def pause_broker(scene: Scene) -> None:
    """The only broker stands still (SIGSTOP) for some seconds."""
    paused(scene, scene.ground.kafka.nodes[0], scene.chance.choice((2, 5, 9)))


def paused(scene: Scene, part: Part, seconds: float) -> None:
    """A part stands still for so long, in the middle of work."""
    scene.until(scene.chance.uniform(0.1, 0.8))
    part.send(signal.SIGSTOP)
    try:
        scene.sleep(seconds)
    finally:
        part.send(signal.SIGCONT)


def kill_node(scene: Scene, number: Callable[[Scene], int]) -> None:
    """Of three brokers, kill the one with this number in the middle of work, and start it again later."""
    scene.until(scene.chance.uniform(0.1, 0.7))
    wanted = number(scene)
    [node] = [node for node in scene.ground.kafka.nodes if node.number == wanted]
    away(scene, node, scene.chance.uniform(5, 8), kill=True)


@fault(brokers=3)
def kill_leader(scene: Scene) -> None:
    """Of three brokers, the leader of an input partition is killed."""
    place = scene.chance.randrange(PARTITIONS)
    kill_node(scene, lambda scene: _leader(scene, "yupan.call.v1", place))


@fault(brokers=3)
def kill_group_coordinator(scene: Scene) -> None:
    """Of three brokers, the coordinator of the group is killed."""
    kill_node(scene, lambda scene: _leader(scene, "__consumer_offsets", _hashed(DECIDE)))


@fault(brokers=3)
def rolling_restart(scene: Scene) -> None:
    """Three brokers are stopped in order and started again, one after the other, as for an upgrade."""
    scene.until(scene.chance.uniform(0.05, 0.3))
    for node in scene.ground.kafka.nodes:
        away(scene, node, scene.chance.uniform(0, 2), kill=False)


@fault(brokers=3, settings={"named": True})
def kill_transaction_coordinator(scene: Scene) -> None:
    """Of three brokers, the coordinator of a worker's transactions is killed."""
    kill_node(scene, lambda scene: _leader(scene, "__transaction_state", _hashed(f"{DECIDE}-w1")))


def _leader(scene: Scene, topic: str, partition: int) -> int:
    admin = AdminClient({"bootstrap.servers": scene.ground.kafka.bootstrap, "log_level": 0})
    return int(admin.list_topics(topic, timeout=10).topics[topic].partitions[partition].leader)


def _hashed(name: str) -> int:
    """The partition of Kafka's internal topics that a name belongs to (Java's `hashCode`)."""
    code = 0
    for letter in name:
        code = (31 * code + ord(letter)) & 0xFFFFFFFF
    return (code & 0x7FFFFFFF) % 8  # the brokers of the tests have 8 of each


# --- ClickHouse


@fault()
def kill_clickhouse(scene: Scene) -> None:
    """ClickHouse is killed (kill -9) in the middle of inserts and started again."""
    for moment in scene.moments(2):
        scene.until(moment)
        scene.ground.server.kill()
        scene.sleep(scene.chance.uniform(0, 4))
        scene.ground.server.launch()
        scene.wait(scene.ground.server.ready, "ClickHouse is back")


@fault()
def pause_clickhouse(scene: Scene) -> None:
    """ClickHouse stands still (SIGSTOP) in the middle of inserts, longer than a client waits."""
    paused(scene, scene.ground.server, scene.chance.choice((3, 12)))


@fault(settings={"proxied": "clickhouse"})
def cut_clickhouse(scene: Scene) -> None:
    """The connections to ClickHouse are reset in the middle of inserts, whose outcome nobody knows then."""
    cut(scene, "clickhouse", 6, 0, 2)


# --- the connection


@fault(settings={"proxied": "broker"})
def cut_connection(scene: Scene) -> None:
    """The connections between workers and broker are reset and refused for a while, again and again."""
    cut(scene, "broker", 3, 0.1, 4)


def cut(scene: Scene, what: str, times: int, shortest: float, longest: float) -> None:
    """So often, the connections to `what` are reset and refused for a while (s)."""
    proxy = scene.ground.proxies[what]
    for moment in scene.moments(times):
        scene.until(moment)
        proxy.cut()
        scene.sleep(scene.chance.uniform(shortest, longest))
        proxy.heal()


@fault(settings={"proxied": "broker"})
def stall_connection(scene: Scene) -> None:
    """Nothing comes through between workers and broker, though connections stand."""
    proxy = scene.ground.proxies["broker"]
    scene.until(scene.chance.uniform(0.1, 0.8))
    proxy.stall()
    scene.sleep(scene.chance.choice((2, 5, 9)))
    proxy.heal()


@fault(settings={"proxied": "broker"})
def slow_connection(scene: Scene) -> None:
    """Every piece between workers and broker is late by up to 0.3 s."""
    proxy = scene.ground.proxies["broker"]
    for moment in scene.moments(2, last=0.6):
        scene.until(moment)
        proxy.delay_s = scene.chance.uniform(0.02, 0.3)
    scene.until(0.9)
    proxy.heal()


# --- input and time


@fault(prepare=lambda workload, chance: workload.again(chance, 0.5))
def redeliver(scene: Scene) -> None:
    """A producer writes half of the input once more, out of order, while a worker is killed."""
    scene.until(scene.chance.uniform(0.1, 0.9))
    scene.some_worker("decide").kill()


@fault(prepare=lambda workload, chance: workload.reorder(chance, 400))
def reorder(scene: Scene) -> None:
    """Input comes out of order, while a worker is killed."""
    scene.until(scene.chance.uniform(0.1, 0.9))
    scene.some_worker("decide").kill()


@fault()
def jump_clock(scene: Scene) -> None:
    """The workers' clock jumps by up to 20 s, forwards and back, while a worker is killed."""
    # not further: a deadline that was armed by a fast clock waits until the right one has caught up
    for moment in scene.moments(4):
        scene.until(moment)
        set_clock(scene.directory, scene.chance.randrange(-20_000, 20_000))
    scene.some_worker("decide").kill()
    scene.until(1.0)
    set_clock(scene.directory, 0)


# --- several at once


@fault(fewest=2)
def storm(scene: Scene) -> None:
    """The broker, ClickHouse and workers are killed in the same seconds."""
    scene.until(scene.chance.uniform(0.2, 0.6))
    parts: list[Part] = [scene.ground.kafka.nodes[0], scene.ground.server]
    scene.chance.shuffle(parts)
    for part in parts:
        part.kill()
        scene.some_worker().kill()
        scene.sleep(scene.chance.uniform(0, 2))
    for part in parts:
        part.launch()
    scene.wait(lambda: all(part.ready() for part in parts), "broker and ClickHouse are back")
    scene.some_worker("decide").kill()
