"""Who is, or ever was, on a watch list, in pages: a REPLACED changes the membership of all of them at once (#54).

Ledger records, by partition: `~listed/NAME`, `{"v": 1, "last": N, "cause": [id, ms, traceparent?]?}`, the newest page
and what replaced the list last; `~listed/NAME/N`, `{"v": 1, "members": [MSISDN, …]}`. A customer stands there once,
from the first entry in the profile on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agents.ports import Batch

PAGE = 200
"""Members of a page: as many as a slice of bulk has events, for which a pop waits."""


def note(batch: Batch, name: str, msisdn: str) -> None:
    """A customer has the first entry of list `name`."""
    head = _head(batch, name)
    members = page(batch, name, head["last"])
    if len(members) >= PAGE:
        head, members = {**head, "last": head["last"] + 1}, ()
        batch.put(_key(name), head)
    batch.put(page_key(name, head["last"]), {"v": 1, "members": [*members, msisdn]})


def page(batch: Batch, name: str, number: int) -> Sequence[str]:
    """The members on one page."""
    record = batch.get(page_key(name, number))
    members: Sequence[str] = record["members"] if record else ()
    return members


def replaced(batch: Batch, name: str, cause: Sequence[Any]) -> int:
    """The list was replaced by `cause`; returns the number of the last page."""
    head = _head(batch, name)
    batch.put(_key(name), {**head, "cause": list(cause)})
    last: int = head["last"]
    return last


def cause(batch: Batch, name: str) -> Sequence[Any]:
    """What replaced the list last, as given to `replaced`."""
    found: Sequence[Any] = _head(batch, name)["cause"]
    return found


def page_key(name: str, number: int) -> str:
    """The ledger key of a page."""
    return f"{_key(name)}/{number}"


def of_page(key: str) -> tuple[str, int]:
    """The list's name and the number in a page's key."""
    name, _, number = key.removeprefix(_key("")).rpartition("/")
    return name, int(number)


def _head(batch: Batch, name: str) -> dict[str, Any]:
    return batch.get(_key(name)) or {"v": 1, "last": 0, "cause": None}


def _key(name: str) -> str:
    return f"~listed/{name}"
