"""Which works are known, and what belongs to them."""

from __future__ import annotations

from typing import Any

from agents.cutover import KEPT, MOST_TIES, MOST_WINDOWS, Windows, collecting, healing, with_cutover


def test_an_older_word_about_the_works_does_not_count() -> None:
    told = {"cutover_id": "w", "systems": ["hlr"], "regions": [], "title": {}, "action": "PLANNED"}
    newer = {**told, "starts_at": 5, "ends_at": 9, "occurred_at": 2}
    windows, _ = with_cutover({}, newer, 1, 0)
    assert with_cutover(windows, {**newer, "starts_at": 1, "occurred_at": 1}, 2, 0)[0] is windows
    assert collecting(windows, ["hlr.status"], None, 5) == "w"
    assert collecting(windows, ["hlr.status"], None, 4) is None
    assert collecting(windows, ["ocs.balance"], None, 5) is None
    assert healing(windows, ["hlr.status"], None, 4, 5) == "w"
    assert healing(windows, ["hlr.status"], None, 5, 6) is None  # it began in the window
    assert with_cutover(windows, {**newer, "cutover_id": "x", "occurred_at": 3}, 3, 9 + KEPT + 1)[0].keys() == {"x"}


def test_of_two_words_of_the_same_moment_the_later_arrival_counts_and_a_repeat_changes_nothing() -> None:
    told = {"cutover_id": "w", "systems": ["hlr"], "regions": [], "title": {}, "starts_at": 5, "ends_at": 9}
    planned, cancelled = ({**told, "action": action, "occurred_at": 2} for action in ("PLANNED", "CANCELLED"))
    first, _ = with_cutover({}, planned, 1, 0)
    second, _ = with_cutover(first, cancelled, 2, 0)
    assert [each["w"]["cancelled"] for each in (first, second)] == [False, True]
    for record, cause in ((planned, 1), (cancelled, 2)):
        assert with_cutover(second, record, cause, 0)[0] is second
    third, _ = with_cutover(second, {**planned, "action": "CHANGED"}, 3, 0)
    assert not third["w"]["cancelled"]
    for n in range(4, 4 + 2 * MOST_TIES):
        third, _ = with_cutover(third, planned, n, 0)
    assert len(third["w"]["causes"]) == MOST_TIES
    assert with_cutover(third, {**planned, "occurred_at": 3}, 1, 0)[0]["w"]["causes"] == [1]  # another moment
    older: Any = {"w": {name: value for name, value in first["w"].items() if name != "causes"}}
    assert with_cutover(older, cancelled, 2, 0)[0]["w"]["cancelled"]  # from before ties were kept


def test_of_too_many_works_those_are_forgotten_first_that_are_over() -> None:
    told = {"systems": ["hlr"], "regions": [], "title": {}, "action": "PLANNED", "occurred_at": 2}
    windows: Windows = {}
    for n in range(MOST_WINDOWS):  # two are over at 1,000, the others go on or begin later
        times = {"starts_at": n, "ends_at": 100 + n if n < 2 else 5_000}
        windows, dropped = with_cutover(windows, {**told, "cutover_id": str(n), **times}, n, 0)
        assert dropped == 0
    gone = []
    for n in range(3):
        before = windows
        record = {**told, "cutover_id": f"new-{n}", "starts_at": 2_000, "ends_at": 5_000}
        windows, dropped = with_cutover(before, record, n, 1_000)
        assert dropped == 1
        gone += [name for name in (*before, f"new-{n}") if name not in windows]
    assert gone[:2] == ["0", "1"]
    assert gone[2].startswith("new-")
