"""A customer's retention tasks (#56): what the desk may offer, and what another side has taken (#58).

The ledger's record `tasks/MSISDN`:

    {"v": 1, "items": {task_id: {"fields": newest of each, "hold": [taken, owner?, ms]?, "created": ms?,
                                 "ended": ms?, "first": ms, "last": ms, "over": bool}}}

An ended task stays as a mark without fields, so that a late event does not bring it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents import newest

KEPT = 40
"""Tasks a customer, ended ones included."""
_TOLD = ("product", "policy", "script", "due_at", "priority")


def with_task(held: dict[str, Any] | None, record: Mapping[str, Any]) -> dict[str, Any]:
    """`held` with an event of `yupan.retention-task.v1`, in whatever order they arrive.

    WITHDRAWN and DONE end a task unless it is CREATED anew later; of TAKEN and RELEASED the newest counts.
    """
    items = held["items"] if held else {}
    at, action = record["occurred_at"], record["action"]
    item = items.get(record["task_id"]) or _unknown(at)
    created = max(item["created"] or at, at) if action == "CREATED" else item["created"]
    ended = max(item["ended"] or at, at) if action in ("WITHDRAWN", "DONE") else item["ended"]
    over = ended is not None and (created is None or created <= ended)
    newer = {
        "fields": {} if over else newest.merged(item["fields"], {name: record[name] for name in _TOLD}, at),
        "hold": _hold(item["hold"], record),
        "created": created,
        "ended": ended,
        "first": min(item["first"], at),
        "last": max(item["last"], at),
        "over": over,
    }
    return {"v": 1, "items": newest.bounded({**items, record["task_id"]: newer}, KEPT)}


def open_tasks(held: dict[str, Any] | None, since: int | None = None) -> list[dict[str, Any]]:
    """The tasks to show, newest first: `state` OPEN may be offered, TAKEN (with its `owner`) may not.

    Those begun before `since` are an earlier owner's.
    """
    found = [
        {"task_id": name, "occurred_at": item["last"], **_state(item), **newest.values(item["fields"])}
        for name, item in (held["items"] if held else {}).items()
        if not item["over"] and (since is None or item["first"] >= since)
    ]
    return sorted(found, key=lambda task: (task["occurred_at"], task["task_id"]), reverse=True)


def _unknown(at: int) -> dict[str, Any]:
    return {"fields": {}, "hold": None, "created": None, "ended": None, "first": at, "last": at}


def _hold(hold: list[Any] | None, record: Mapping[str, Any]) -> list[Any] | None:
    """Who has taken the task, and when that was told: [taken, owner, ms]."""
    at = record["occurred_at"]
    if record["action"] not in ("TAKEN", "RELEASED", "CREATED") or (hold is not None and hold[2] > at):
        return hold
    taken = record["action"] == "TAKEN"
    return [taken, record["owner"] if taken else None, at]


def _state(item: dict[str, Any]) -> dict[str, Any]:
    taken, owner = item["hold"][:2] if item["hold"] else (False, None)
    return {"state": "TAKEN" if taken else "OPEN", "owner": owner}
