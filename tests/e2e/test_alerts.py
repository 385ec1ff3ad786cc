"""From a drift to the technicians' gateway: a real Alertmanager, away and back, and workers that come and go (#50)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import PartError
from streams.supervisor import Worker
from tests.conftest import absent
from tests.e2e.kit import Live, Seen, msisdn, now_ms, state, wait_for, yupan
from tests.parts.alertmanager import AlertmanagerPart, Webhook

ALERT = "yupan.alert.v1"
SOON_S = 60


class Desk:
    """The alerting side: a gateway, Alertmanager, and the role `alerts`."""

    def __init__(self, stack: Live, directory: Path) -> None:
        self.stack = stack
        self.gateway = Webhook()
        self.alertmanager = AlertmanagerPart(self.gateway.url)
        self._directory = directory

    def worker(self, number: int = 1) -> Worker:
        """One more worker of the role, not started."""
        settings = {**self.stack.settings.environ(), "YUPAN_ALERTMANAGER": self.alertmanager.address}
        return Worker("alerts", number, settings, self._directory / f"alerts-{number}")

    def drift(self, region: str, count: int = 1) -> list[str]:
        """Customers of a region whose HLR does not follow."""
        numbers = [msisdn() for _ in range(count)]
        self.stack.publish(
            "yupan.state.v1", *(state(number, "crm", "status", "active", region=region) for number in numbers)
        )
        return numbers

    def heal(self, numbers: list[str]) -> None:
        self.stack.publish("yupan.state.v1", *(state(number, "hlr", "status", "active") for number in numbers))

    def incident(self, region: str, status: str = "FIRING") -> dict[str, Any]:
        """What the topic told last of a region's incident, once it says this."""

        def told(seen: list[Seen]) -> list[Seen]:
            return [s for s in seen if s.record["region"] == region and s.record["status"] == status]

        found = told(self.stack.read(ALERT, until=told, seconds=SOON_S))
        return dict(found[-1].record)

    def active(self) -> set[str]:
        """The regions of what fires at Alertmanager."""
        return {alert["labels"].get("region", "") for alert in self.alertmanager.alerts()}


@pytest.fixture(scope="module")
def desk(stack: Live, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    made = Desk(stack, tmp_path_factory.mktemp("alerts"))
    with ExitStack() as ends:
        ends.enter_context(made.gateway)
        try:
            made.alertmanager.start()
        except PartError as error:
            absent(error)
        ends.callback(made.alertmanager.stop)
        yield made


@pytest.fixture
def alerting(desk: Desk) -> Iterator[Worker]:
    """The role's worker."""
    worker = desk.worker().start()
    yield worker
    worker.stop()


def region(name: str) -> str:
    return f"{name}-{now_ms()}"


def test_many_customers_are_one_message_and_one_end(desk: Desk, alerting: Worker) -> None:
    here = region("nanchang")
    numbers = desk.drift(here, 30)
    incident = desk.incident(here)
    assert (incident["check"], incident["count"], len(incident["examples"])) == ("activation", 30, 5)
    assert incident["guidance"]["zh"]
    wait_for(lambda: desk.gateway.of(incident["incident_id"]), SOON_S, what="the gateway was told")
    (alert,) = (a for a in desk.alertmanager.alerts() if a["labels"].get("region") == here)
    assert alert["labels"]["severity"] == "major"
    assert alert["annotations"]["summary"] == f"激活异常：{here}，30 项异常，hlr.status.missing"
    assert not any(number in str(desk.gateway.told) for number in numbers)
    desk.heal(numbers)
    assert desk.incident(here, "RESOLVED")["count"] == 30
    over = wait_for(lambda: desk.gateway.of(incident["incident_id"])[1:], SOON_S, what="it was told to be over")
    assert over == [("resolved", "30")]
    assert desk.gateway.of(incident["incident_id"])[0] == ("firing", "30")


def test_alertmanager_away_nothing_is_lost_and_decisions_go_on(desk: Desk, alerting: Worker) -> None:
    before, here, there = region("before"), region("here"), region("there")
    old = desk.drift(before)
    desk.incident(before)
    wait_for(lambda: before in desk.active(), SOON_S)
    desk.alertmanager.stop()
    numbers = desk.drift(here)
    desk.drift(there)
    desk.heal(old)
    for name in (here, there):
        desk.incident(name)  # decided and told on the topic all the same
    desk.incident(before, "RESOLVED")
    wait_for(lambda: alerting.read("yupan_sink_failures_total") > 0, SOON_S, what="the worker says so")
    assert alerting.read("yupan_sink_up") == 0
    desk.heal(numbers)
    desk.incident(here, "RESOLVED")  # begun and over meanwhile
    desk.alertmanager.start()
    wait_for(lambda: there in desk.active(), SOON_S, what="what fires is known again")
    wait_for(lambda: alerting.read("yupan_sink_up") == 1, SOON_S)
    assert {before, here}.isdisjoint(desk.active())
    assert alerting.alive


def test_a_worker_that_starts_anew_knows_what_fires(desk: Desk) -> None:
    here, there = region("kept"), region("ended")
    first = desk.worker(2).start()
    numbers = desk.drift(there)
    desk.drift(here)
    ended = desk.incident(there)
    desk.incident(here)
    wait_for(lambda: {here, there} <= desk.active(), SOON_S)
    first.stop()
    desk.heal(numbers)
    desk.incident(there, "RESOLVED")
    desk.alertmanager.stop()  # it forgets all
    desk.alertmanager.start()
    assert desk.active() == set()
    second = desk.worker(3).start()
    try:
        wait_for(lambda: here in desk.active(), SOON_S, what="what fires is told again")
        assert there not in desk.active()
        assert second.read("yupan_incidents_firing") >= 1
        wait_for(lambda: second.read("yupan_consumer_lag_records") == 0, SOON_S)
    finally:
        second.stop()
    assert ("resolved", "1") not in desk.gateway.of(ended["incident_id"])[:1]


def test_an_old_drift_alerts_nobody(desk: Desk, alerting: Worker) -> None:
    here, fresh = region("old"), region("fresh")
    old = now_ms() - 24 * 3_600_000
    desk.stack.publish("yupan.state.v1", state(msisdn(), "crm", "status", "active", old, region=here))
    desk.incident(here)
    desk.drift(fresh)
    desk.incident(fresh)
    wait_for(lambda: fresh in desk.active(), SOON_S)
    assert here not in desk.active()
    assert alerting.read("yupan_too_old_to_act_total") >= 1


def test_two_workers_do_no_harm(desk: Desk, alerting: Worker) -> None:
    here = region("two")
    other = desk.worker(4).start()
    try:
        numbers = desk.drift(here)
        incident = desk.incident(here)
        wait_for(lambda: here in desk.active(), SOON_S)
        desk.heal(numbers)
        desk.incident(here, "RESOLVED")
        wait_for(lambda: here not in desk.active(), SOON_S)
    finally:
        other.stop()
    assert [status for status, _ in desk.gateway.of(incident["incident_id"])] in (["firing"], ["firing", "resolved"])


def test_without_an_address_it_does_not_start(desk: Desk) -> None:
    answer = yupan("worker", "--role", "alerts", environ={**desk.stack.settings.environ(), "YUPAN_ALERTMANAGER": ""})
    assert answer.code == 2
    assert answer.err.splitlines()[-1].startswith("yupan: YUPAN_ALERTMANAGER is not set")


def test_doctor_asks_it(desk: Desk) -> None:
    environ = {**desk.stack.settings.environ(), "YUPAN_ALERTMANAGER": desk.alertmanager.address}
    assert f"ready: {desk.alertmanager.address}" in yupan("doctor", environ=environ).out
    answer = yupan("doctor", environ={**environ, "YUPAN_ALERTMANAGER": "http://127.0.0.1:9"})
    assert answer.code == 3
    assert "does not answer" in answer.out
