"""No number of a customer stands whole in a text, however it is written; what is no number stays readable."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest

from schemas.catalogue import EVENTS
from schemas.errors import RecordError
from schemas.masking import mask, masked, shown

NUMBER = "8613800138000"


@pytest.mark.parametrize(
    ("number", "wanted"),
    [
        ("8613800138000", "86138****8000"),
        ("85291234567", "852****4567"),
        ("491701234567", "4917****4567"),
        ("861380013800099", "86138****0099"),
        ("4155551234", "****"),
        ("", "****"),
    ],
)
def test_at_least_four_digits_are_hidden(number: str, wanted: str) -> None:
    assert mask(number) == wanted


@pytest.mark.parametrize(
    "number",
    ["13800138000", "138-0013-8000", "138 0013 8000", "+86 (138) 0013-8000", "138.0013.8000", "１３８００１３８０００"],
)
def test_a_number_is_masked_however_it_is_written(number: str) -> None:
    text = masked(f"call {number}, now")
    assert text.startswith("call ")
    assert text.endswith(", now")
    assert sum(c.isdigit() for c in text) <= 9
    assert "****" in text


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22 12:00:00 has no offset",
        "2026-11-22T12:00:00.000Z",
        "2000000 bytes, at most 1000000 are read",
        "on 3 again, its key belongs on 11",
        "127.0.0.1:9092",
    ],
)
def test_what_is_no_number_of_a_customer_stays(text: str) -> None:
    assert masked(text) == text


def test_four_digits_of_any_number_are_hidden_whatever_stands_between_them() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    pick = random.Random(seed)
    for _ in range(2_000):
        digits = "1" + "".join(pick.choices("0123456789", k=pick.randint(10, 14)))
        written = "".join(d + pick.choice(["", "", "", " ", "-", ") "]) for d in digits).rstrip(" -)")
        left = re.sub(r"\D", "", masked(f"x {written} y"))
        assert len(left) <= len(digits) - 4, written


def test_a_value_is_quoted_and_cut() -> None:
    assert shown("8613800138000" * 3) == "'86138****8000'"
    assert len(shown("x" * 100)) == 42


@pytest.mark.parametrize(
    "wrong",
    [
        {"details": {NUMBER: 5}},
        {"details": {"138-0013-8000": 5}},
        {NUMBER: "x"},
        {"+86 138 0013 8000": "x"},
        {"system": NUMBER},
        {"system": "138-0013-8000"},
        {"occurred_at": "138 0013 8000"},
    ],
)
def test_no_error_of_a_record_shows_a_number(wrong: dict[str, Any]) -> None:
    event = EVENTS["yupan.state.v1"]
    with pytest.raises(RecordError) as caught:
        event.from_json({**event.examples[0], **wrong})
    text = f"{caught.value} {caught.value.field} {caught.value.message}"
    assert "****" in text
    assert "0013" not in text
