"""Texts for people: filled in, told in their language, cut to what a seat can read while it talks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

TEXT = 500
"""Characters of a text that the ledger keeps for the desk; the history has all of them."""
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
NEVER_SEEN = {"zh": "无记录"}
"""What the texts say of a state that was never seen; evidence is for programs."""
_UNITS = (
    ("d", "天", 86_400_000),
    ("h", "小时", 3_600_000),
    ("min", "分钟", 60_000),
    ("s", "秒", 1000),
    ("ms", "毫秒", 1),
)


def fill(texts: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """`texts` with `{name}` replaced out of `values`."""
    return {lang: PLACEHOLDER.sub(lambda m: values.get(m[1], m[0]), text) for lang, text in texts.items()}


def span_text(ms: int, language: str) -> str:
    """A time span for people: `10 分钟`, `10 min`."""
    for english, chinese, unit in _UNITS:
        if ms % unit == 0:
            return f"{ms // unit} {chinese if language == 'zh' else english}"
    raise AssertionError("every span is a whole number of milliseconds")


def share_text(share: float) -> str:
    """A part of one as files of checks say it: `99.5 %`."""
    return f"{100 * share:.10g} %"


def written(value: Any) -> str:
    """A single value as files have it, rather than Python: `true`, `5`, `active`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def short(record: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `record` whose texts, also those in several languages, are cut."""
    return {name: _cut(value) for name, value in record.items()}


def _cut(value: Any) -> Any:
    if type(value) is str:
        return value if len(value) <= TEXT else value[: TEXT - 1] + "…"
    return short(value) if type(value) is dict else value
