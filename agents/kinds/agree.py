"""Kind `agree`: several systems must hold the same, after a time to settle (#48, #49).

The first-named system is the reference. With a `mapping`, each row names values that belong together;
without one, the values themselves must be equal; what is no word of the state is not judged. The exact rules are
those of contracts, "agree".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agents.evidence import evidence_of, word
from agents.states import NEVER, Held, Never, equal, is_nothing, value_of
from agents.verdicts import (
    QUIET,
    Change,
    Due,
    Outcome,
    Verdict,
    anomaly_of,
    as_waited,
    begun_anew,
    cause_of,
    changed,
    muted,
    on_event,
    opened_late,
    start,
)
from agents.waiting import Open, Wait
from agents.words import PRODUCT, form_of, is_of, state_name, value_for
from agents.yaml_reader import Item, Section

TOPICS = ("yupan.state.v1",)
Row = tuple[Any, ...]
MOST_KNOWN = 4096
"""Verdicts remembered of one check; the words of most are few."""


class Agree:
    """`systems` as `system.attribute`; `rows` of values in the same order, empty for "the same value"."""

    each = ""
    propagates = True
    reads = TOPICS

    def __init__(
        self, check: str, within: int, systems: Sequence[str], rows: Sequence[Row] = (), products: Sequence[str] = ()
    ) -> None:
        self.check = check
        self.within = within
        self.watches = self.compares = tuple(systems)
        self.rows = tuple(rows)
        self.products = tuple(products)
        self._forms = tuple(map(form_of, systems))
        self._known: dict[Row, Verdict] = {}

    @property
    def placeholders(self) -> frozenset[str]:
        """The names that the check's texts may use in braces."""
        return frozenset((*self.watches, "within", *(("product",) if self.watches[0].endswith(PRODUCT) else ())))

    def words(self, subject: str, evidence: Mapping[str, str]) -> dict[str, str]:
        """See `Rule.words`."""
        if not subject:
            return dict(evidence)
        return {f"{n.removesuffix(subject)}PRODUCT": v for n, v in evidence.items()} | {"product": subject}

    @property
    def wanted_names(self) -> frozenset[str]:
        """See `Rule.wanted_names`: all but the reference."""
        return frozenset(self.watches[1:])

    def wanted(self, subject: str, evidence: Mapping[str, str]) -> dict[str, str]:
        """See `Rule.wanted`: what belongs to the reference's value."""
        reference = evidence[self.names(subject)[0]]
        if not self.rows:
            return dict.fromkeys(self.watches[1:], reference)
        row = next((row for row in self.rows if word(row[0]) == reference), None)
        return {} if row is None else {name: word(row[n]) for n, name in enumerate(self.watches) if n}

    # --- names

    def subject(self, name: str) -> str | None:
        """The product in `name`, empty for a plain name, None when the rule does not watch it."""
        for watched in self.watches:
            if name == watched:
                return ""
            stem = watched.removesuffix("PRODUCT")
            if stem != watched and name.startswith(stem) and name != stem:
                product = name[len(stem) :]
                return product if self._is_named(product) else None
        return None

    def _is_named(self, product: str) -> bool:
        """Whether the check is about this product: of all where its file names none."""
        return not self.products or product in self.products

    def names(self, subject: str) -> tuple[str, ...]:
        """What is watched of `subject`, the reference first."""
        if not subject:
            return self.watches
        return tuple(w.removesuffix("PRODUCT") + subject if w.endswith(PRODUCT) else w for w in self.watches)

    # --- the decisions

    def judge(self, change: Change, wait: Wait | None) -> Outcome:
        """A watched state has changed."""
        names = self.names(change.subject)
        verdict = self._compare(names, change.after)
        if verdict is Verdict.DIVERGENT:
            return self._differ(change, names, wait)
        return self._end(change, names, wait, verdict)

    def fall_due(self, due: Due, wait: Wait) -> Outcome:
        """The deadline has passed."""
        if due.subject and not self._is_named(due.subject):
            return QUIET[Verdict.NOT_APPLICABLE]  # the check's file has named it before
        names = self.names(due.subject)
        verdict = self._compare(names, due.states)
        if verdict is not Verdict.DIVERGENT:
            return Outcome(verdict)  # the check's file was changed while the wait was running
        evidence = evidence_of(names, due.states)
        anomaly = anomaly_of(self.check, due, wait, evidence, self._cause(names, due.states))
        anomaly["about"] = evidence[names[0]]
        return opened_late(due, wait, anomaly)

    def withdrawn(self, wait: Wait, at: int) -> Wait | None:
        """See `Rule.withdrawn`."""
        return muted(wait)

    def verdict(self, subject: str, states: Held, wait: Wait | None) -> Verdict:
        """See `Rule.verdict`."""
        verdict = self._compare(self.names(subject), states)
        return as_waited(wait, differs=True) if verdict is Verdict.DIVERGENT else verdict

    def evidence(self, subject: str, states: Held, wait: Wait | None) -> dict[str, str]:
        """See `Rule.evidence`."""
        return evidence_of(self.names(subject), states)

    def _end(self, change: Change, names: Sequence[str], wait: Wait | None, verdict: Verdict) -> Outcome:
        """Agreement ends the wait or the anomaly; a value outside the mapping ends it, too, as not judged."""
        anomaly = wait["open"] if wait is not None else None
        if wait is None or anomaly is None:
            return QUIET[verdict]
        status, reason = _ENDINGS[verdict]
        evidence = evidence_of(names, change.after)
        return Outcome(verdict, None, (on_event(change, status, reason, wait, anomaly, evidence),))

    def _differ(self, change: Change, names: Sequence[str], wait: Wait | None) -> Outcome:
        """Settling starts where agreement ends, and anew only when the reference takes a new value."""
        anew = change.name == names[0] and not equal(
            names[0], value_of(change.before, names[0]), value_of(change.after, names[0])
        )
        anomaly = wait["open"] if wait is not None else None
        if wait is None or (anomaly is None and anew):
            return Outcome(Verdict.PROPAGATING, start(change.event, change.at + self.within))
        if anomaly is None:
            return Outcome(Verdict.PROPAGATING, wait)
        if anew:
            return self._change(change, names, begun_anew(wait, change.event), anomaly, "reference_changed")
        return self._change(change, names, wait, anomaly, "partner_changed")

    def _change(self, change: Change, names: Sequence[str], wait: Wait, anomaly: Open, reason: str) -> Outcome:
        evidence = evidence_of(names, change.after)
        cause, about = self._cause(names, change.after), evidence[names[0]]
        after: Open = {**anomaly, "evidence": evidence, "cause_code": cause_of(wait, cause), "about": about}
        return changed(change, reason, wait, anomaly, after)

    # --- comparing

    def _compare(self, names: Sequence[str], states: Held) -> Verdict:
        values = tuple([value_of(states, name) for name in names])
        verdict = self._known.get(values)
        if verdict is None:
            verdict = self._verdict(names, values)
            # only of words: True, 1 and 1.0 would be the same key
            if len(self._known) < MOST_KNOWN and all(type(value) in (str, Never) for value in values):
                self._known[values] = verdict
        return verdict

    def _verdict(self, names: Sequence[str], values: Row) -> Verdict:
        if any(self._unknown(n, names[n], value) for n, value in enumerate(values)):
            return Verdict.NOT_APPLICABLE
        return Verdict.CONSISTENT if self._agree(names, values) else Verdict.DIVERGENT

    def _unknown(self, column: int, name: str, value: Any) -> bool:
        """Whether `value` was seen and stands nowhere in its column of the mapping; without one, is no word of its."""
        if value is NEVER:
            return False
        if not self.rows:
            return not is_of(self._forms[column], value)
        return not any(equal(name, row[column], value) for row in self.rows)

    def _agree(self, names: Sequence[str], values: Sequence[Any]) -> bool:
        if values[0] is NEVER:
            return all(is_nothing(name, value) for name, value in zip(names[1:], values[1:], strict=True))
        if not self.rows:
            return all(equal(name, values[0], value) for name, value in zip(names[1:], values[1:], strict=True))
        return any(all(map(equal, names, row, values)) for row in self.rows)

    def _cause(self, names: Sequence[str], states: Held) -> str:
        """What alerts are grouped by: the first system that is not as the reference says, and how."""
        values = [value_of(states, name) for name in names]
        if values[0] is NEVER:
            return f"{self.watches[0]}.missing"
        pairs = zip(self.watches[1:], names[1:], values[1:], range(1, len(names)), strict=True)
        for watched, name, value, column in pairs:
            if not any(equal(name, right, value) for right in self._right(values[0], column)):
                return f"{watched}.missing" if value is NEVER else f"{watched}.differs"
        return f"{self.watches[0]}.differs"

    def _right(self, reference: Any, column: int) -> Iterator[Any]:
        """The values that `column` may have beside the reference's."""
        if not self.rows:
            yield reference
        yield from (row[column] for row in self.rows if equal(self.watches[0], row[0], reference))

    def describe(self) -> Mapping[str, object]:
        """The rule as plain data."""
        plain: dict[str, object] = {"systems": list(self.watches)}
        if self.rows:
            plain["mapping"] = [list(row) for row in self.rows]
        if self.products:
            plain["products"] = list(self.products)
        return plain


_ENDINGS = {
    Verdict.CONSISTENT: ("RESOLVED", "agrees_again"),
    Verdict.NOT_APPLICABLE: ("WITHDRAWN", "not_applicable"),
}


# --- the file

SCHEMA = {
    "systems": {"type": "array", "items": {"type": "string"}, "minItems": 2, "uniqueItems": True},
    "mapping": {
        "type": "array",
        "minItems": 1,
        "items": {"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/value"}},
    },
    "products": {"type": "array", "items": {"type": "string", "pattern": r"\S"}},
}
REQUIRED = ("systems",)


def read(section: Section, check: str, within: int) -> Agree:
    """The keys of this kind: `systems`, `mapping`, `products`. Raises `FileError`."""
    systems_item = section.take("systems")
    items = systems_item.items()
    systems = [state_name(item) for item in items]
    if len(set(systems)) < max(len(systems), 2):
        raise systems_item.fail("names at least two systems, each once, the reference first")
    if len({name.endswith(PRODUCT) for name in systems}) > 1:
        raise systems_item.fail("either all of them end in .PRODUCT or none does")
    rows = _rows(section.get("mapping"), systems)
    products_item = section.get("products")
    products = [] if products_item is None else [item.text() for item in products_item.items()]
    if products_item is not None and not systems[0].endswith(PRODUCT):
        raise products_item.fail("needs systems that end in .PRODUCT")
    return Agree(check, within, systems, rows, products)


def _rows(item: Item | None, systems: Sequence[str]) -> list[Row]:
    if item is None:
        return []
    rows = [_row(row, systems) for row in item.items()]
    if not rows:
        raise item.fail("has no rows")
    return rows


def _row(item: Item, systems: Sequence[str]) -> Row:
    cells = item.items()
    if len(cells) != len(systems):
        raise item.fail(f"has {len(cells)} values for {len(systems)} systems")
    return tuple(value_for(cell, name) for cell, name in zip(cells, systems, strict=True))
