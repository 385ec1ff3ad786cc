"""The words of states and usage in the files of checks: which names there are, and which values they take."""

from __future__ import annotations

from typing import Any

from agents.texts import written
from agents.yaml_reader import Item
from schemas.events.state import EACH_PRODUCT, OCCURRENCES, WORDS
from schemas.events.usage import KINDS as USAGE_KINDS
from schemas.events.usage import USER_CAUSES

PRODUCT = EACH_PRODUCT
Form = tuple[str | bool, ...] | str
"""The values that a state takes, or what sort of value."""
BOOLEAN = (True, False)


def state_name(item: Item) -> str:
    """`system.attribute` of a state, perhaps of each product. Raises `FileError`."""
    name = _name(item)
    if name.partition(".")[2] in OCCURRENCES:
        raise item.fail(f"every {name.partition('.')[2]} counts by itself; only the kind match takes it")
    return name


def plain_state(item: Item) -> str:
    """A state that is one of the customer, not of each product. Raises `FileError`."""
    name = state_name(item)
    if name.endswith(PRODUCT):
        raise item.fail("is told of one state, not of each product")
    return name


def amount_of_state(item: Item) -> str:
    """A state that is an amount in yuan. Raises `FileError`."""
    return _of_form(item, "yuan", "an amount in yuan")


def moment_of_state(item: Item) -> str:
    """A state that is a moment. Raises `FileError`."""
    return _of_form(item, "milliseconds", "a moment")


def occurrence_name(item: Item) -> str:
    """`system.attribute` of what counts each time. Raises `FileError`."""
    name = _name(item)
    if name.partition(".")[2] not in OCCURRENCES:
        raise item.fail(f"{name} is a state; the kind match takes {', '.join(sorted(OCCURRENCES))}")
    return name


def value_for(item: Item, name: str) -> Any:
    """A value that `system.attribute` can take. Raises `FileError`."""
    value = item.plain()
    form = form_of(name)
    if value is None:
        raise item.fail("null counts as never seen and cannot be mapped")
    if not is_of(form, value):
        known = f"it is a {'text' if form == 'text' else 'number'}"
        if isinstance(form, tuple):
            quoted = ", without quotes" if form == BOOLEAN and isinstance(value, str) else ""
            known = f"its values are {', '.join(map(written, form))}{quoted}"
        said = repr(value) if isinstance(value, str) else written(value)
        raise item.fail(f"{name} never is {said}; {known}")
    return value


def is_of(form: Form | None, value: Any) -> bool:
    """Whether a state of this form takes `value`; one that nobody knows takes any."""
    if isinstance(form, tuple):
        return any(type(word) is type(value) and word == value for word in form)
    return form is None or (type(value) is str if form == "text" else type(value) in (int, float))


def told_state(item: Item) -> str:
    """`system.attribute` of an event: a state or an occurrence that a check may read. Raises `FileError`."""
    name = item.text()
    if name.endswith(PRODUCT):
        raise item.fail(f"PRODUCT stands for a product's name: say which, such as {name.removesuffix(PRODUCT)}.volte")
    system, _, attribute = name.partition(".")
    stem, _, product = attribute.partition(".")
    return name if product and form_of(f"{system}.{stem}{PRODUCT}") is not None else _name(item)


def usage_kind(item: Item) -> str:
    """A kind of usage. Raises `FileError`."""
    return item.one_of(*USAGE_KINDS)


def user_causes(item: Item | None) -> list[str]:
    """Causes of failure that are the user's; left out: those of contracts. Raises `FileError`."""
    return list(USER_CAUSES) if item is None else [cause.text() for cause in item.items()]


def form_of(name: str) -> Form | None:
    """The values of `system.attribute`, or what sort of value it takes; None when there is no such word."""
    system, _, attribute = name.partition(".")
    words = WORDS.get(system, {})
    form = words.get(attribute.removesuffix("PRODUCT") if name.endswith(PRODUCT) else attribute)
    return BOOLEAN if form == "boolean" else form


def _of_form(item: Item, form: str, wanted: str) -> str:
    name = plain_state(item)
    if form_of(name) != form:
        raise item.fail(f"{name} is not {wanted}")
    return name


def _name(item: Item) -> str:
    name = item.text()
    system, _, attribute = name.partition(".")
    if system not in WORDS:
        raise item.fail(f"unknown system {system!r}; known are {', '.join(WORDS)}")
    if form_of(name) is None:
        known = (f"{a}PRODUCT" if a.endswith(".") else a for a in WORDS[system])
        raise item.fail(f"unknown attribute {attribute!r} of {system}; known are {', '.join(known)}")
    return name
