"""Two histories of one check compared: what opened now and then, what only once, what sooner or later. Pure.

The same trigger gives the same id, whatever the deadline is, so ids are compared first. What has another id (a check
that waits for something else, a rate of another window) is the same finding when it is about the same customer or area
and the same product, and opened near in time. Of transactions only the ids tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

EXAMPLES = 5
"""Told of each kind of difference."""
KINDS = ("opened", "missed", "sooner", "later")
"""The differences; what is none is `same`."""


class Opening(NamedTuple):
    """An anomaly or a reminder as it opened first."""

    id: str
    whom: str
    """The MSISDN, `cell:ID` or `region:NAME`."""
    subject: str
    """The product, where it is about one."""
    at: int | None
    """When (ms); None: nobody knows any more."""


class Pair(NamedTuple):
    """The same finding now and then; None where it is not there."""

    now: Opening | None
    then: Opening | None

    @property
    def kind(self) -> str:
        """`same`, or one of `KINDS`."""
        if self.now is None or self.then is None:
            return "opened" if self.then is None else "missed"
        shift = self.shift
        return "same" if not shift else "sooner" if shift < 0 else "later"

    @property
    def shift(self) -> int | None:
        """Milliseconds by which it opens later now; None where that cannot be told."""
        if self.now is None or self.then is None or self.now.at is None or self.then.at is None:
            return None
        return self.now.at - self.then.at

    @property
    def either(self) -> Opening:
        """The one that there is."""
        found = self.now or self.then
        assert found is not None
        return found


def paired(now: Mapping[str, Opening], then: Mapping[str, Opening], near: int | None) -> Iterator[Pair]:
    """Each finding once. `now` and `then` by id; `near`: milliseconds up to which two ids may be one (None: never)."""
    for found_id in now.keys() & then.keys():
        yield Pair(now[found_id], then[found_id])
    rest: dict[tuple[str, str], list[Opening]] = {}
    for opening in _in_order(then[found_id] for found_id in then.keys() - now.keys()):
        rest.setdefault((opening.whom, opening.subject), []).append(opening)
    for opening in _in_order(now[found_id] for found_id in now.keys() - then.keys()):
        others = rest.get((opening.whom, opening.subject), [])
        nearest = min(others, key=lambda other: _apart(opening, other), default=None)
        if near is None or nearest is None or _apart(opening, nearest) > near:
            yield Pair(opening, None)
        else:
            others.remove(nearest)
            yield Pair(opening, nearest)
    for others in rest.values():
        yield from (Pair(None, opening) for opening in others)


def _in_order(openings: Iterable[Opening]) -> list[Opening]:
    return sorted(openings, key=lambda opening: (opening.at or 0, opening.id))


def _apart(a: Opening, b: Opening) -> float:
    return float("inf") if a.at is None or b.at is None else abs(a.at - b.at)
