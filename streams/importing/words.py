"""What a file says that nobody understands: unknown words, contradictions, entries of lists without a file.

Of states those are words that no check and no watch list reads. An entry of a watch list that has no file says what its
row does, which may be nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any

from schemas.events.list import is_watch_list
from schemas.events.state import OCCURRENCES, WORDS
from schemas.masking import shown
from streams.wording import counted

_SAID = 20
"""Words that are told one by one; the rest is counted."""
_KEPT = 10_000
"""Words that are told apart; a column of something else has as many as rows."""
_FORMS = {"yuan": "an amount in yuan", "number": "a number", "milliseconds": "a moment in milliseconds"}


class Words:
    """Remembers the unknown words of one file and, of an export, what each number has: some 130 bytes a row."""

    def __init__(self, *, once: bool, lists: Collection[str] = ()) -> None:
        """`once`: the file is an export, in which a system holds one value of a number's attribute.

        `lists`: the watch lists that have a file.
        """
        self._unknown: Counter[str] = Counter()
        self._once = once
        self._held: dict[int, int] = {}
        self._otherwise = 0
        self._lists = lists
        self._listed: Counter[str] = Counter()
        self._silent: Counter[str] = Counter()

    def note(self, record: Mapping[str, Any]) -> None:
        """A state of the file."""
        system, attribute, value = record["system"], record["attribute"], record["value"]
        fault = _fault(system, attribute, value)
        if fault and (fault in self._unknown or len(self._unknown) < _KEPT):
            self._unknown[fault] += 1
        if self._once and attribute not in OCCURRENCES:
            held = hash(value)
            self._otherwise += self._held.setdefault(hash((system, attribute, record["msisdn"])), held) != held

    def note_entry(self, record: Mapping[str, Any]) -> None:
        """An entry of a list."""
        name = record["list"]
        if record["action"] != "ADD" or name in self._lists or not is_watch_list(name):
            return
        if name in self._listed or len(self._listed) < _KEPT:
            self._listed[name] += 1
            self._silent[name] += not record["guidance"] and not record["wording"]

    def warnings(self) -> Iterator[str]:
        """A line for each unknown word and list, the most frequent first, and one about contradictions."""
        for fault, rows in self._unknown.most_common(_SAID):
            yield f"yupan: {counted(rows, 'row')}: {fault}"
        if (more := len(self._unknown) - _SAID) > 0:
            yield f"yupan: … and {counted(more, 'more word')} that no check and no watch list knows"
        if self._otherwise:
            which = "the one with the higher sequence counts, else the later"
            told = counted(self._otherwise, "row")
            yield f"yupan: {told} with another value than the first row of the same number and attribute; {which}"
        for name, rows in self._listed.most_common(_SAID):
            has = f"no file has the list {shown(name)}, so its reminders say only what its rows do"
            silent = f"{self._silent[name]:,} of {counted(rows, 'row')} with neither guidance nor wording"
            yield f"yupan: {has}: {silent}; lists with a file are {', '.join(self._lists)}"


def _fault(system: str, attribute: str, value: Any) -> str:
    """What nobody understands of a state, empty when there is nothing."""
    form = _form(system, attribute)
    name = f"{system}.{attribute}"
    if form is None:
        names = ", ".join(f"{word}…" if word.endswith(".") else word for word in WORDS.get(system, {}))
        return f"no check and no watch list reads {shown(name)}; of {system} they read {names}"
    if value is None or form == "text":
        return ""
    if isinstance(form, tuple):
        return "" if value in form else f"{name} never is {shown(value)}; its values are {', '.join(form)}"
    if form == "boolean":
        return "" if type(value) is bool else f"{shown(name)} is true or false, not {shown(value)}"
    return "" if type(value) in (int, float) else f"{name} is {_FORMS[form]}, not {shown(value)}"


@lru_cache(maxsize=4096)
def _form(system: str, attribute: str) -> tuple[str, ...] | str | None:
    """The values of an attribute, or what sort of value it takes; None when there is no such word."""
    begin, dot, rest = attribute.partition(".")
    if dot and not rest:
        return None
    return WORDS.get(system, {}).get(begin + dot)
