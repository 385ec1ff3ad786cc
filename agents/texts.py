"""Texts that the ledger keeps for the desk, cut to what a seat can read while it talks; the history has all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TEXT = 500
"""Characters of a text that are kept."""


def short(record: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `record` whose texts, also those in several languages, are cut."""
    return {name: _cut(value) for name, value in record.items()}


def _cut(value: Any) -> Any:
    if type(value) is str:
        return value if len(value) <= TEXT else value[: TEXT - 1] + "…"
    return short(value) if type(value) is dict else value
