"""What the ledger holds of a check: waits, what is open, what was, and the counts of a cell or region.

Plain data, of which `verdicts` and the kinds (`agents/kinds/`) decide. Times are milliseconds.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict

Sums = list[int | None]
"""What is due and what was taken, in ten-thousandths; None: nothing was seen yet."""


class Repair(TypedDict):
    """The repair of an open anomaly."""

    id: str
    """Empty before a command is sent."""
    state: str
    """asked, granted, capped, dry_run, sent, done, refused or failed; empty: nobody has begun in this life."""
    due: int | None
    """When to look after it again (ms)."""
    slot: NotRequired[int | None]
    """When it was last to be sent by itself, in whichever life of the anomaly; None: there was no slot."""
    sent_at: NotRequired[int]
    """When the command was sent, as of `id`."""
    taken: NotRequired[bool]
    """A person had acknowledged the anomaly before it was sent."""
    ordered: NotRequired[int]
    """What people ordered up to then is dealt with (ms): done, refused, or overtaken by a command that was sent."""


class Former(TypedDict):
    """An anomaly that was resolved, and may open again."""

    id: str
    opened_at: int
    ended_at: int
    about: str | None
    """As of `Open`."""
    silent: NotRequired[bool]
    """Nobody was told of it."""
    repair: NotRequired[Repair]
    """What is left of its repair."""
    joined: NotRequired[dict[str, int]]
    """As of `Open`."""


class Open(TypedDict):
    """An anomaly that is open."""

    id: str
    opened_at: int
    evidence: dict[str, str]
    """As last announced while divergent: what the texts speak of."""
    cause_code: str
    since: NotRequired[int]
    """When it opened again; left out: it has opened once."""
    about: NotRequired[str]
    """What else has to be the same for it to be the same anomaly when it opens again."""
    status: NotRequired[str]
    """What a person or a repair has made of it; left out: OPEN (`life`)."""
    severity: NotRequired[str]
    """Graver than its check says, since a repair did not help."""
    repair: NotRequired[Repair]
    cutover: NotRequired[str]
    """The works in whose window its drift began."""
    everywhere: NotRequired[bool]
    """It is part of one incident of all regions, as its check's file said when it opened."""
    joined: NotRequired[dict[str, int]]
    """How often it has joined which incidents and works, the last ones, by a hash of what they are (`joining`)."""
    shadow: NotRequired[bool]
    """It opened while its check was in shadow: nobody is told of it (`shadow`)."""


class Wait(TypedDict):
    """What a check holds of a customer while something is not as it should be. Times in milliseconds."""

    since: int
    due: int | None
    """When the rule must be asked again; None: not before the next event."""
    trigger: str
    """`ce_id` of the event that started the wait."""
    source: str
    region: str | None
    traceparent: NotRequired[str | None]
    """The trigger's, for what its deadline decides."""
    arrived: NotRequired[int]
    """When the broker got the trigger: whether what its deadline decides was history by then."""
    snapshot: NotRequired[bool]
    """A full export has begun it: what drifted told nobody when it did."""
    open: Open | None
    """None while nothing is announced."""
    sums: NotRequired[Sums]
    """Of `match`."""
    void: NotRequired[bool]
    """Of `match`: something that is no amount came; the transaction is not judged."""
    until: NotRequired[int]
    """Of `match`: after that a transaction that is settled or void is a new one."""
    failed: NotRequired[list[int]]
    """Of `streak`: when the last failures were, oldest first."""


class Rates(TypedDict):
    """What a check counts of one cell or region. Times in milliseconds."""

    panes: list[list[int]]
    """[start, succeeded, failed], oldest first."""
    ended: int
    """The end of the last window that was judged: what comes later for it joins those to come."""
    open: Open | None
    muted: NotRequired[bool]
    """A person has withdrawn the anomaly, and the rate has not recovered since."""
    resolved: NotRequired[Former | None]
    rule: NotRequired[str]
    """The shape of the rule that has counted (`Check.shape`)."""
