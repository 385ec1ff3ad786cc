"""What a backtest asks a check, whatever its mode."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agents.memory import Delivered
from schemas.codec import codecs
from schemas.headers import cloud_event
from streams import cli
from streams.backtest import Run
from streams.settings import Settings
from tests.agents.desk_world import ALICE, HOUR, T0, shipped

STATE = "yupan.state.v1"


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
