"""A check whose file is gone while something of it is open: as much of it as is needed to end that."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agents.incident import Alerting
from agents.kinds.follow import Follow
from agents.rules import Check


def gone(check_id: str, reminder: Mapping[str, Any] | None) -> Check:
    """`reminder`: that of what is open, whose texts are the last that are left."""
    known: Mapping[str, Any] = reminder or {}
    texts: dict[str, Any] = {name: known.get(name) or {} for name in ("title", "cause", "wording", "guidance")}
    of_nothing: Any = Follow(check_id, 0, ("", None), {})
    return Check(
        check_id,
        kind="follow",
        severity=known.get("severity", "WARNING"),
        rule=of_nothing,
        alert=Alerting(),
        repair=None,
        cases=(),
        file=Path(),
        **texts,
    )
