"""What is held, in the words of evidence: short texts that people and programs read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agents.states import Held, value_of

LONGEST_WORD = 200


def evidence_of(names: Iterable[str], states: Held) -> dict[str, str]:
    """What is held of `names`, in words."""
    return {name: word(value_of(states, name)) for name in names}


def word(value: Any) -> str:
    """A value as evidence tells it, cut to what people read."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value)
    return text if len(text) <= LONGEST_WORD else text[: LONGEST_WORD - 1] + "…"
