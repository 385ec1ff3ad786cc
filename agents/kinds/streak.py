"""Kind `streak`: so many failures of a customer in a row within a time (#49).

Failures whose cause is the user's are left out. Told by the times of the events, in whatever order they arrive.
The exact rules are those of contracts, "streak".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agents.states import Held
from agents.texts import span_text
from agents.verdicts import (
    QUIET,
    Change,
    Due,
    Outcome,
    Verdict,
    anomaly_of,
    as_waited,
    on_deadline,
    on_event,
    since_of,
    start,
)
from agents.waiting import Wait
from agents.words import usage_kind, user_causes
from agents.yaml_reader import Section
from schemas.errors import UsageError
from schemas.masking import masked

TOPIC = "yupan.usage.v1"
LONGEST_CAUSE = 64
"""Characters of a failure's cause in the cause of an anomaly."""
MOST_FAILURES = 16
"""Times of failures kept; a row is looked for among them."""


class Streak:
    """`failures` of the usage `kind` within `within`; withdrawn when there is none of it for `forget` (ms)."""

    each = ""
    propagates = False
    reads = (TOPIC,)

    def __init__(
        self, check: str, within: int, kind: str, failures: int, forget: int, user_causes: Sequence[str] = ()
    ) -> None:
        self.check = check
        self.within = within
        self.kind = kind
        self.failures = failures
        self.forget = forget
        self.user_causes = tuple(user_causes)
        self.watches = (f"usage.{kind}",)

    placeholders = frozenset(("usage.failures", "usage.cause", "within"))

    compares: tuple[str, ...] = ()
    wanted_names: frozenset[str] = frozenset()

    def wanted(self, subject: str, evidence: Mapping[str, str]) -> dict[str, str]:
        """See `Rule.wanted`: nothing beyond the words."""
        return {}

    def words(self, subject: str, evidence: Mapping[str, str]) -> dict[str, str]:
        """See `Rule.words`."""
        return dict(evidence)

    def subject(self, name: str) -> str | None:
        """See `Rule.subject`."""
        return "" if name in self.watches else None

    # --- the decisions

    def judge(self, change: Change, wait: Wait | None) -> Outcome:
        """An attempt has been made."""
        record = change.event.record
        succeeded = record["result"] == "OK"
        known = wait.get("failed", []) if wait is not None else []
        failed = [*known]
        if not succeeded:
            if record["cause"] in self.user_causes:
                return Outcome(Verdict.CONSISTENT, wait)
            failed = sorted([*known, change.at])[-max(MOST_FAILURES, self.failures) :]
        latest = change.after.get(change.name)  # the newest success, whenever it arrived
        failed = [at for at in failed if latest is None or at > latest[1]]
        if wait is None or wait["open"] is None:
            return self._count(change, wait, failed)
        anomaly = wait["open"]
        if not succeeded or failed == known or self._row(failed) is not None:
            kept: Wait = {**wait, "failed": failed, "due": max(failed, default=change.at) + self.forget}
            return Outcome(Verdict.DIVERGENT, kept)
        decision = on_event(change, "RESOLVED", "succeeded", wait, anomaly, anomaly["evidence"])
        # a success that comes late: nothing ends before it has begun
        decision = decision._replace(at=max(change.at, since_of(anomaly)))
        # the failures since then are another row, whose anomaly is another one
        return self._count(change, start(change.event, None), failed)._replace(decisions=(decision,))

    def fall_due(self, due: Due, wait: Wait) -> Outcome:
        """Nothing was attempted for long: what might have become a streak is forgotten, an open anomaly withdrawn."""
        if wait["open"] is None:
            return QUIET[Verdict.CONSISTENT]
        withdrawn = on_deadline(due, "WITHDRAWN", "no_attempts", wait, wait["open"])
        return Outcome(Verdict.CONSISTENT, None, (withdrawn,))

    def withdrawn(self, wait: Wait, at: int) -> Wait | None:
        """See `Rule.withdrawn`: it is counted anew."""
        return None

    def verdict(self, subject: str, states: Held, wait: Wait | None) -> Verdict:
        """See `Rule.verdict`."""
        return as_waited(wait, differs=wait is not None)

    def evidence(self, subject: str, states: Held, wait: Wait | None) -> dict[str, str]:
        """See `Rule.evidence`."""
        failed = [] if wait is None else wait.get("failed", [])
        return {"usage.failures": str(len(failed))}

    def _count(self, change: Change, wait: Wait | None, failed: list[int]) -> Outcome:
        if not failed:
            return QUIET[Verdict.CONSISTENT]
        known = start(change.event, None) if wait is None else wait
        kept: Wait = {**known, "failed": failed, "due": failed[-1] + self.within}
        row = self._row(failed)
        if row is None:
            return Outcome(Verdict.PROPAGATING, kept)
        kept["since"], ends = row
        cause = change.event.record["cause"] or "unknown"
        evidence = {"usage.failures": str(self.failures), "usage.cause": cause}
        code = masked(cause.replace("|", "/"))[:LONGEST_CAUSE]  # what technicians read, as whoever wrote it pleased
        anomaly = anomaly_of(self.check, change, kept, evidence, f"{change.name}.{code}", ends)
        opened = on_event(change, "OPEN", "failures_in_a_row", kept, anomaly, evidence)._replace(at=ends)
        return Outcome(Verdict.DIVERGENT, {**kept, "due": failed[-1] + self.forget, "open": anomaly}, (opened,))

    def _row(self, failed: Sequence[int]) -> tuple[int, int] | None:
        """When the first row of so many failures within the time began, and when it was complete."""
        rows = zip(failed, failed[self.failures - 1 :], strict=False)
        return next(((first, last) for first, last in rows if last - first <= self.within), None)

    def describe(self) -> Mapping[str, object]:
        """See `Rule.describe`."""
        return {
            "usage": self.kind,
            "failures": self.failures,
            "forget": span_text(self.forget, "en"),
            "user_causes": list(self.user_causes),
        }


# --- the file

SCHEMA = {
    "usage": {"$ref": "#/$defs/usage"},
    "failures": {"type": "integer", "minimum": 1},
    "forget": {"$ref": "#/$defs/span"},
    "user_causes": {"$ref": "#/$defs/causes"},
}
REQUIRED = ("usage", "failures", "forget")


def read(section: Section, check: str, within: int) -> Streak:
    """The keys of this kind: `usage`, `failures`, `forget`, `user_causes`. Raises `FileError`."""
    kind = usage_kind(section.take("usage"))
    failures = section.take("failures").count()
    item = section.take("forget")
    forget = item.span()
    if within > forget >= section.take("within").span():
        told = f"{check}={span_text(within, 'en')} is longer than forget, {span_text(forget, 'en')}"
        where = f"{item.file}:{item.key_line}"
        raise UsageError(f"YUPAN_DEADLINES: {told} ({where}): what still counts cannot be forgotten")
    if forget < within:
        raise item.fail("should be at least as long as within: what still counts cannot be forgotten")
    return Streak(check, within, kind, failures, forget, user_causes(section.get("user_causes")))
