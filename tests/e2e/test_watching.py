"""Watch lists over the wire: imported as a file, found by what is known, and gone by themselves (#54)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.e2e.kit import Live, Seen, msisdn, now_ms, state

REMINDER = "yupan.reminder.v1"
ROAMING = "watch:roaming-bill"


def watches(seen: list[Seen], number: str) -> list[Seen]:
    """The reminders of watch lists of one customer, and their ends."""
    return [s for s in seen if (s.key or b"").startswith(f"{number}|watch-".encode())]


def bills(directory: Path, version: str, numbers: list[str], at: int) -> Path:
    """A file of numbers as the billing department would send it, of time `at` (ms)."""
    file = directory / f"bills-{version}.csv"
    file.write_text("msisdn,guidance_zh\n" + "".join(f"{number},账单已更正\n" for number in numbers), "utf-8")
    os.utime(file, (at / 1000, at / 1000))
    return file


def imported(stack: Live, file: Path, version: str) -> None:
    answer = stack.yupan(
        "import", "watch-list", str(file), "--list", ROAMING, "--version", version, "--replace", "--json"
    )
    assert answer.code == 0, answer.err


def test_a_list_is_imported_shown_replaced_and_gone(stack: Live, tmp_path: Path) -> None:
    numbers = [msisdn(partition) for partition in range(stack.settings.partitions)]
    before, at = stack.mark(REMINDER), now_ms() - 10_000
    imported(stack, bills(tmp_path, "1", numbers, at), "1")
    told = stack.read(REMINDER, before, lambda seen: all(watches(seen, number) for number in numbers))
    for number in numbers:
        (reminder,) = watches(told, number)
        assert reminder.record["kind"] == "WATCH"
        assert reminder.record["guidance"]["zh"] == "账单已更正"
        assert reminder.record["source_id"] == ROAMING
    shown: dict[str, Any] = stack.customer(numbers[0], lambda c: c["reminders"])
    assert shown["reminders"][0]["title"]["zh"] == "漫游账单异常"
    imported(stack, bills(tmp_path, "2", numbers[1:], at + 1_000), "2")
    gone = stack.read(REMINDER, before, lambda seen: len(watches(seen, numbers[0])) == 2)
    assert watches(gone, numbers[0])[1].value is None
    assert watches(gone, numbers[0])[1].headers["yupan.withdrawn"] == "over"
    stack.customer(numbers[0], lambda c: not c["reminders"])
    assert stack.customer(numbers[1], lambda c: c["reminders"])["reminders"][0]["kind"] == "WATCH"


def test_a_reminder_ends_at_its_time(stack: Live) -> None:
    number, before = msisdn(), stack.mark(REMINDER)
    ends = now_ms() + 6_000
    stack.publish("yupan.state.v1", state(number, "ocs", "suspend_at", ends))
    told = stack.read(REMINDER, before, lambda seen: len(watches(seen, number)) == 2)
    opened, gone = watches(told, number)
    assert (opened.record["source_id"], opened.record["expires_at"]) == ("watch:soon-stopped", ends)
    assert (gone.value, gone.headers["yupan.withdrawn"]) == (None, "expired")


def test_facts_and_states_are_judged_together(stack: Live) -> None:
    number, before = msisdn(), stack.mark(REMINDER)
    stack.publish("yupan.customer.v1", {"msisdn": number, "facts": {"monthly_fee": 58}, "occurred_at": now_ms()})
    stack.publish("yupan.state.v1", state(number, "ocs", "balance", 12.5))
    told = stack.read(REMINDER, before, lambda seen: bool(watches(seen, number)))
    assert "12.5 元" in watches(told, number)[0].record["cause"]["zh"]
    stack.publish("yupan.state.v1", state(number, "ocs", "balance", 112.5))
    gone = stack.read(REMINDER, before, lambda seen: len(watches(seen, number)) == 2)
    assert watches(gone, number)[1].value is None
