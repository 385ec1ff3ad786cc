"""`rate` against a reference in the words of contracts (`histories`)."""

from __future__ import annotations

from hypothesis import strategies as st

from agents.kinds.rate import Bounds, Rate
from tests.agents.histories import CUSTOMERS, MIN, USAGE, Lives, Story, Told, compared, repeated, small


class Shares:
    """Each window of five minutes that ends with a minute, once a minute more has passed, from all that has come."""

    WITHIN, LATE = 5, 1
    BOUNDS = Bounds(below=0.9, recovered=0.92, at_least=10)

    def __init__(self, cell: str) -> None:
        self.cell = cell
        self.counted: list[Told] = []
        self.judged = 0
        """The end of the last window that was judged: of one that held nothing nobody has taken notice."""
        self.open = False
        self.lives = Lives()

    def judge(self, end: int) -> None:
        window = [event for event in self.counted if end - self.WITHIN <= event["at"] // 1 < end]
        succeeded = sum(event["result"] == "OK" for event in window)
        if len(window) < self.BOUNDS.at_least:
            return
        share = succeeded / len(window)
        if not self.open and share < self.BOUNDS.below:
            self.open = True
            self.lives.opens(self.cell, end + self.LATE)
        elif self.open and share >= self.BOUNDS.recovered:
            self.open = False
            self.lives.ends(self.cell, end + self.LATE, "RESOLVED")

    def pass_on(self, now: float) -> None:
        """All windows that are due before `now`."""
        for end in range(self.judged + 1, 60):
            if end + self.LATE < now and any(end - self.WITHIN <= event["at"] // 1 < end for event in self.counted):
                self.judged = end
                self.judge(end)

    def run(self, events: list[Told]) -> Story:
        ids = set()
        for event in events:
            self.pass_on(event["at"])
            if event["id"] in ids or event["cell"] != self.cell:
                continue
            ids.add(event["id"])
            if event["result"] == "OK" or event["cause"] != "busy":
                self.counted.append(event)
        self.pass_on(max((event["at"] for event in events), default=0))
        return self.lives.story


def traffic() -> st.SearchStrategy[list[Told]]:
    """Groups of attempts in a minute of a cell; some minutes come late."""
    group = st.tuples(st.integers(0, 25), st.integers(0, 1), st.integers(0, 14), st.integers(0, 3), st.integers(0, 4))

    def history(groups: list[tuple[int, ...]], again: list[int]) -> list[Told]:
        told = []
        for n, (minute, cell, succeeded, failed, late) in enumerate(groups):
            outcomes = [("OK", None)] * succeeded + [("FAILED", "no_channel")] * failed + [("FAILED", "busy")]
            for m, (result, cause) in enumerate(outcomes):
                event = {"topic": USAGE, "id": f"e-{n}.{m}", "at": minute + m / 60, "msisdn": CUSTOMERS[0]}
                what = {"kind": "CALL_ATTEMPT", "result": result, "cause": cause, "cell": f"c-{cell}"}
                told.append((minute + (late == 4) * 3, {**event, **what}))
        return repeated([event for _, event in sorted(told, key=lambda pair: pair[0])], again)

    return st.builds(history, st.lists(group, max_size=12), st.lists(small, max_size=2))


def test_rate_decides_as_the_reference_does() -> None:
    rule = Rate("x", Shares.WITHIN * MIN, "CALL_ATTEMPT", "cell", Shares.BOUNDS, ["busy"])

    def reference(events: list[Told]) -> Story:
        return [line for cell in ("c-0", "c-1") for line in Shares(cell).run(events)]

    assert compared(traffic(), rule, reference) == {"OPEN", "RESOLVED"}
