"""What a backtest asks a check, whatever its mode."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agents.differences import Opening
from agents.memory import Delivered
from agents.rules import load_checks
from schemas.codec import codecs
from schemas.headers import cloud_event
from streams import cli
from streams.backtest import Outcome, Run, _compare
from streams.settings import Settings
from tests.agents.desk_world import ALICE, HOUR, T0, shipped

STATE = "yupan.state.v1"
MIN = 60_000


def suspended() -> Any:
    told = {"msisdn": ALICE, "system": "crm", "attribute": "status", "value": "suspended", "occurred_at": T0}
    codec = codecs()[STATE]
    value = codec.encode(codec.event.from_json(told))
    return Delivered(STATE, value, ALICE.encode(), cloud_event(STATE, "e-1", "crm", T0), 0, T0)


@pytest.mark.parametrize("mode", ["on", "shadow", "off"])
@pytest.mark.parametrize("name", ["activation", "watch:stopped"])
def test_it_tells_what_the_check_would_tell(name: str, mode: str) -> None:
    run = Run(replace(shipped().files[name], mode=mode), Settings(), 1, by_wall=True)
    run.take(suspended(), is_first=True)
    assert len(run.finish(T0 + HOUR, by_wall=True)) == 1


def test_what_has_not_come_yet_is_not_compared(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YUPAN_KAFKA", "127.0.0.1:1")
    assert cli.run(["checks", "backtest", "activation", "--from", "2130-01-01"]) == 2
    told = "yupan: --from: 2130-01-01 has not come yet: nothing was decided from then on\n"
    assert capsys.readouterr().err == told


def charged(number: int, at: int, system: str = "crm", amount: float = 50.0) -> Any:
    told = {"msisdn": ALICE, "system": system, "attribute": "charge", "value": amount, "transaction": f"t-{number}"}
    codec = codecs()[STATE]
    value = codec.encode(codec.event.from_json({**told, "occurred_at": at}))
    head = cloud_event(STATE, f"{system}-{number}", system, at)
    return Delivered(STATE, value, ALICE.encode(), head, 0, at)


def backtested(within: int, until: int) -> tuple[Run, dict[str, Opening]]:
    """Three transactions of a customer, a minute apart; of the second the counterpart comes after half an hour."""
    check = load_checks(deadlines={"charging": within}).by_id["charging"]
    run = Run(check, Settings(), 1, by_wall=True)
    for number in range(3):
        run.take(charged(number, T0 + number * MIN), is_first=number == 0)
    run.take(charged(1, T0 + 30 * MIN, "ocs"), is_first=False)
    return run, dict(run.finish(until, by_wall=True))


def test_a_transaction_that_a_longer_deadline_waits_for_would_open_later() -> None:
    _, then = backtested(15 * MIN, T0 + 35 * MIN)
    run, now = backtested(40 * MIN, T0 + 35 * MIN)
    assert (len(then), now) == (3, {})
    outcome = Outcome("charging", until=T0 + 35 * MIN)
    _compare(outcome, run._check, run, now, then)
    assert outcome.counts == {"later": 2, "missed": 1}
    assert outcome.shifts == {"later": [25 * MIN, 25 * MIN]}


def test_different_transactions_are_never_the_same_finding() -> None:
    _, then = backtested(15 * MIN, T0 + HOUR)
    first, second, _ = sorted(then, key=lambda found: then[found].at or 0)
    run, _ = backtested(15 * MIN, T0 + HOUR)
    outcome = Outcome("charging", until=T0 + HOUR)
    _compare(outcome, run._check, run, {first: then[first]}, {second: then[second]})
    assert outcome.counts == {"opened": 1, "missed": 1}
