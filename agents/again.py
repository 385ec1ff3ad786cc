"""What is open is judged again from time to time (#49): nothing tells that its check was changed, or away. Pure.

As long as checks stay as they are, this decides nothing: what an event settles, its event ends.
"""

from __future__ import annotations

from zlib import crc32

from agents.verdicts import CHECK_CHANGED, EVIDENCE_CHANGED, Due, Outcome, Rule, Verdict, on_deadline
from agents.waiting import Open, Wait

EVERY = 3_600_000
"""Milliseconds after which an open anomaly is judged again."""
DEADLINE = "again/"
"""What the names of these deadlines begin with."""
READS = ("yupan.state.v1",)


def is_due(wait: Wait | None) -> bool:
    """Whether `wait` is to be judged again: it is open, and no deadline of its own asks its rule."""
    return wait is not None and wait["open"] is not None and wait["due"] is None


def first_at(msisdn: str, now: int) -> int:
    """When for the first time: what opens together is spread over the time."""
    return now + 1 + crc32(msisdn.encode()) % EVERY


def judged(rule: Rule, due: Due, wait: Wait, anomaly: Open) -> Outcome:
    """`anomaly` of `wait` as its rule sees it by now; the very same wait when nothing is different."""
    fresh = rule.fall_due(due, {**wait, "open": None})
    found = None if fresh.wait is None else fresh.wait["open"]
    told = anomaly["evidence"]
    known = {name: word for name, word in told.items() if name != "repair"}
    if found is None:
        evidence = rule.evidence(due.subject, due.states, wait)
        status, reason = _ending(fresh.verdict, changed=evidence != known)
        return fresh._replace(decisions=(on_deadline(due, status, reason, wait, anomaly)._replace(evidence=evidence),))
    if found["evidence"] == known and found["cause_code"] == anomaly["cause_code"]:
        return Outcome(Verdict.DIVERGENT, wait)
    said = {"repair": told["repair"]} if "repair" in told else {}
    after: Open = {**anomaly, **found, "id": anomaly["id"], "opened_at": anomaly["opened_at"]}
    after["evidence"] = {**found["evidence"], **said}
    decision = on_deadline(due, "OPEN", EVIDENCE_CHANGED, wait, after)
    return Outcome(Verdict.DIVERGENT, {**wait, "open": after}, (decision,))


def _ending(verdict: Verdict, *, changed: bool) -> tuple[str, str]:
    """`changed`: whether the systems hold something else than when it was told last, while nobody looked."""
    if not changed:
        return "WITHDRAWN", CHECK_CHANGED
    return ("RESOLVED", "agrees_by_now") if verdict is Verdict.CONSISTENT else ("WITHDRAWN", "not_applicable")
