"""The role `alerts`: what fires is pushed, however late it was told; what was history when it came is not."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from schemas.errors import PartError
from sinks.alert_topic import Told
from sinks.alertmanager import MOST, Alert, Alertmanager, firing
from streams.alerting import AGAIN_MS, SETTLES_MS, Pushing
from streams.metrics import Metrics

T0 = 1_795_320_000_000
MIN, HOUR = 60_000, 3_600_000
ACT_WITHIN = 10 * MIN


class Clock:
    """The wall's, as the test says."""

    def __init__(self) -> None:
        self.now = T0

    def now_ms(self) -> int:
        return self.now


class Topic:
    """`yupan.alert.v1`, as far as the role asks it."""

    partitions = 1
    caught_up = True
    up = True

    def __init__(self) -> None:
        self.unread: list[Told] = []
        self.commits = 0

    def read(self, _: float) -> Iterator[Told]:
        read, self.unread = self.unread, []
        yield from read

    def commit(self) -> None:
        self.commits += 1

    def behind(self) -> Mapping[int, int]:
        return {}


class Target:
    """Alertmanager: what fires there, by incident. `refuses`: an incident that it does not take."""

    def __init__(self) -> None:
        self.fires: set[str] = set()
        self.pushes = 0
        self.refuses = ""
        self.is_away = False
        self.clock = Clock()

    def push(self, alerts: Sequence[Alert]) -> Sequence[Alert]:
        if self.is_away:
            raise PartError("YUPAN_ALERTMANAGER: does not answer")
        self.pushes += 1
        for alert in alerts:
            (self.fires.add if alert["endsAt"] > _iso(self.clock.now) else self.fires.discard)(_id(alert))
        return [alert for alert in alerts if _id(alert) == self.refuses]


class World:
    """The role's worker; times are minutes after the start."""

    def __init__(self) -> None:
        self.topic, self.target, self.metrics = Topic(), Target(), Metrics()
        self.clock = self.target.clock
        self.pushing = Pushing(self.topic, self.target, self.metrics, self.clock, ACT_WITHIN)  # type: ignore[arg-type]

    def tell(
        self, incident: str, at: float, *, occurred: float | None = None, is_new: bool = True, **more: Any
    ) -> None:
        """What the topic has at `at`; it happened then, or at `occurred`."""
        happened = T0 + round((at if occurred is None else occurred) * MIN)
        record = {**record_of(incident), "first_at": happened, "occurred_at": happened, **more}
        self.topic.unread.append(Told(record, "", T0 + round(at * MIN), is_new))

    def until(self, at: float) -> None:
        """The worker goes on to this minute, a step a second."""
        while self.clock.now < T0 + round(at * MIN):
            self.clock.now += 1_000
            self.pushing.step(0)

    def value(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0


def record_of(incident: str) -> dict[str, Any]:
    return {
        "incident_id": incident,
        "check": "activation",
        "cause_code": "hlr.status.missing",
        "severity": "MAJOR",
        "status": "FIRING",
        "count": 1,
        "examples": [],
        "cell": None,
        "region": incident,
        "summary": incident,
        "guidance": {},
        "old": False,
        "first_at": T0,
        "occurred_at": T0,
    }


def _iso(at: int) -> str:
    return str(firing({**record_of("x"), "first_at": 0}, at)["endsAt"])


def _id(alert: Alert) -> str:
    return str(alert["labels"]["incident_id"])


@pytest.fixture
def world() -> World:
    return World()


def test_what_fires_is_pushed_at_once(world: World) -> None:
    world.tell("i-1", 0)
    world.until(0.1)
    assert world.target.fires == {"i-1"}


def test_a_fault_that_decide_told_late_because_it_was_away_is_pushed(world: World) -> None:
    world.tell("i-1", 0, occurred=-180)
    world.until(SETTLES_MS / MIN / 2)
    assert world.target.fires == set()
    world.until((SETTLES_MS + AGAIN_MS) / MIN)
    assert world.target.fires == {"i-1"}
    world.until(HOUR / MIN)
    assert world.target.fires == {"i-1"}


def test_what_was_over_before_it_was_told_pages_nobody(world: World) -> None:
    world.tell("i-1", 0, occurred=-180)
    world.until(0.5)
    world.tell("i-1", 0.5, occurred=-120, status="RESOLVED")
    world.until(5)
    assert (world.target.fires, world.value("yupan_incidents_firing")) == (set(), 0)


def test_one_that_grows_while_the_rest_is_caught_up_waits_as_long(world: World) -> None:
    world.tell("i-1", 0, occurred=-180)
    world.tell("i-1", 0.5, occurred=-170, count=2)
    world.until(0.9)
    assert world.target.fires == set()
    world.until(2)
    assert world.target.fires == {"i-1"}


def test_what_fires_already_is_told_to_have_grown_however_late(world: World) -> None:
    world.tell("i-1", 0)
    world.until(1.1)
    pushes = world.target.pushes
    world.tell("i-1", 30, occurred=1, count=2)
    world.until(1.2)
    assert world.target.pushes == pushes + 1


def test_a_worker_that_starts_anew_pushes_what_was_told_late_before(world: World) -> None:
    world.tell("i-1", -60, occurred=-180, is_new=False)
    world.until(0.1)
    assert world.target.fires == {"i-1"}


def test_an_import_pages_nobody_until_something_new_is_part_of_it(world: World) -> None:
    world.tell("i-1", 0, occurred=-1440, old=True)
    world.until(5)
    assert world.target.fires == set()
    assert world.value("yupan_too_old_to_act_total", what="alert") == 1
    world.tell("i-1", 5, count=2, old=False)
    world.until(5.1)
    assert world.target.fires == {"i-1"}
    world.until(6)
    world.tell("i-1", 6, status="RESOLVED")
    world.until(6.1)
    assert world.target.fires == set()


def test_one_that_is_refused_holds_up_nobody(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.target.refuses = "bad"
    world.tell("bad", 0)
    world.until(0.1)
    assert world.topic.commits == 1
    assert world.value("yupan_sink_up", sink="alertmanager") == 0
    world.tell("good", 0.1)
    world.until(0.5)
    assert "good" in world.target.fires
    assert world.topic.commits == 2
    assert world.value("yupan_skipped_total", topic="yupan.alert.v1", reason="refused") == 1
    assert world.value("yupan_alerts_pushed_total") == 1
    assert world.value("yupan_sink_up", sink="alertmanager") == 1
    assert [record.message for record in caplog.records] == [
        "Alertmanager refuses 1 of 1 alerts; they are left out: bad"
    ]


def test_while_it_is_away_nothing_is_committed_and_nothing_is_lost(world: World) -> None:
    world.target.is_away = True
    world.tell("i-1", 0)
    world.until(3)
    assert world.topic.commits == 0
    world.target.is_away = False
    world.until(4)
    assert (world.target.fires, world.topic.commits > 0) == ({"i-1"}, True)


# --- what a server answers


class Server(ThreadingHTTPServer):
    """Answers `code` to requests with a bad alert, else 200."""

    def __init__(self, code: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.code = code
        self.taken: list[str] = []
        self.requests = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        ids = [_id(alert) for alert in json.loads(self.rfile.read(int(self.headers["Content-Length"])))]
        self.server.requests += 1
        is_bad = any(one.startswith("bad") for one in ids)
        if not is_bad:
            self.server.taken += ids
        self.send_response(self.server.code if is_bad else 200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with Server(request.param) as made:
        threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True).start()
        yield made
        made.shutdown()


def alerts(*ids: str) -> list[Alert]:
    return [firing(record_of(one), T0 + HOUR) for one in ids]


@pytest.mark.parametrize("server", [400, 413, 422], indirect=True)
def test_only_the_refused_ones_are_left_out(server: Server) -> None:
    good = [f"i-{n}" for n in range(MOST + 3)]
    refused = Alertmanager([server.address]).push(alerts(*good[:200], "bad-1", *good[200:], "bad-2"))
    assert [_id(alert) for alert in refused] == ["bad-1", "bad-2"]
    assert server.taken == good
    assert server.requests < 40


@pytest.mark.parametrize("server", [401, 404, 429, 500, 503], indirect=True)
def test_what_fails_for_every_request_is_waited_for(server: Server) -> None:
    with pytest.raises(PartError, match=f"answers {server.code}"):
        Alertmanager([server.address]).push(alerts("bad", "i-1"))
    assert server.requests == 1


@pytest.mark.parametrize("server", [400], indirect=True)
def test_a_member_that_is_away_does_not_hold_up_what_the_others_refuse(server: Server) -> None:
    members = Alertmanager(["http://127.0.0.1:9", server.address])
    assert [_id(alert) for alert in members.push(alerts("bad", "i-1"))] == ["bad"]
    assert server.taken == ["i-1"]
