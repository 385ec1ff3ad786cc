from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from streams.demo.tally import ANOMALY, POP, Tally
from streams.demo.view import Lines, View, clock, open_view
from streams.simulate.day import Day
from tests.simulate.worlds import START, traffic


def told_tally() -> tuple[Tally, int]:
    """Half a minute of traffic, each drift found, one pop with all that a pop can have."""
    told = traffic(seconds=30)
    tally = Tally(told.injected, START)
    for event in told:
        tally.sent(event, event.occurred_at)
    for drift in told.injected:
        found = {"anomaly_id": drift.id, "check": drift.check, "msisdn": drift.msisdn, "trigger_id": drift.trigger}
        found |= {"status": "OPEN", "evidence": {"crm.status": "active", "hlr.status": "barred"}}
        tally.received(ANOMALY, found | {"occurred_at": drift.due_at, "cell": None, "region": None}, drift.due_at)
    said = {"channel": "WECHAT", "text": "打不出电话", "subject": None, "status": None, "occurred_at": START}
    pop = {"call_id": "c-1", "seat": "S0007", "msisdn": "8613800138000", "segment": "RURAL", "brand": "EASYOWN"}
    pop |= {"greeting": {"zh": "尊敬的王站长,你好,有什么可以帮到您。"}, "contacts": [said]}
    pop |= {"retention_tasks": [{"product": "99元5G畅享套餐", "policy": "8折"}]}
    pop |= {"reminders": [{"title": {"zh": "激活", "en": "Activation"}, "cause": {"zh": "网络侧未复机", "en": "HLR"}}]}
    tally.received(POP, pop, START + 20_000)
    return tally, START + 30_000


def drawn(language: str, width: int = 100, height: int = 30) -> str:
    """The view as text."""
    tally, now = told_tally()
    console = Console(width=width, height=height, record=True, force_terminal=True, file=io.StringIO())
    view = View(
        tally,
        console,
        day=Day(START, "Asia/Shanghai"),
        deadlines={"activation": 5000},
        language=language,
        timezone="Asia/Shanghai",
        seconds=60,
    )
    console.print(view.draw(now))
    return console.export_text()


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "zh",
            [
                "00:30 / 01:00",
                "activation 5 s",
                "农村联络人",
                "尊敬的王站长",
                "激活",
                "99元5G",
                "打不出电话",
                "≠ HLR 停机",
            ],
        ),
        ("en", ["simulated time 12:00", "rural contact", "Activation", "WeChat", "CRM active ≠"]),
    ],
)
def test_the_view_shows_what_happens_and_no_whole_number(language: str, words: list[str]) -> None:
    text = drawn(language)
    assert len(text.splitlines()) <= 31
    assert [word for word in words if word not in text] == []
    assert "86138****8000" in text
    assert not re.search(r"\d{11,}", text)


def test_a_small_terminal_gets_a_smaller_view() -> None:
    assert "86138****8000" in drawn("zh", width=80, height=24)


def test_without_a_terminal_there_are_lines_now_and_then() -> None:
    tally, now = told_tally()
    file = io.StringIO()
    with open_view(
        tally, day=Day(START, "UTC"), deadlines={}, language="en", timezone="UTC", seconds=None, file=file
    ) as view:
        assert isinstance(view, Lines)
        for at in (now, now + 1000, now + 4000, now + 5000):
            view.update(at)
    found = tally.drifts(now)[1]
    assert [line.split()[0] for line in file.getvalue().splitlines()] == ["00:30", "00:35"]
    assert f"drifts {found}/{found}" in file.getvalue()


def test_the_view_goes_back_to_the_terminal_that_it_found() -> None:
    tally, now = told_tally()
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=100, height=30)
    with View(tally, console, day=Day(START, "UTC"), deadlines={}, language="zh", timezone="UTC", seconds=None) as view:
        view.update(now)
    assert file.getvalue().count("\x1b[?1049h") == file.getvalue().count("\x1b[?1049l") == 1


def test_times_are_short() -> None:
    assert [clock(s) for s in (5, 65, 3665)] == ["00:05", "01:05", "1:01:05"]
