"""`when` and `unless`: a table whose lines must all hold, or a list of tables of which one must hold.

A line is `name: word`, `name: [one, of, these]`, or `name: "*"`: it has a value.
"""

from __future__ import annotations

from collections.abc import Callable

from agents.texts import written
from streams.importing.marked import Node
from streams.importing.row import Getter, Layout, Maker, Names, Row, Test

ANY = "*"
TestMaker = Callable[[Layout], Test]


def guard(maker: Maker, node: Node, names: Names) -> Maker:
    """`maker`, whose value is None unless the conditions of the table `node` hold."""
    holds = read_conditions(node, names)
    if holds is None:
        return maker

    def make(layout: Layout) -> Getter:
        test, get = holds(layout), maker(layout)
        return lambda row: get(row) if test(row) else None

    return make


def read_conditions(node: Node, names: Names) -> TestMaker | None:
    """What `when` and `unless` of the table `node` ask for together, None without either."""
    table = node.table()
    when = _alternatives(table["when"], names) if "when" in table else None
    unless = _alternatives(table["unless"], names) if "unless" in table else None
    if when is None and unless is None:
        return None

    def make(layout: Layout) -> Test:
        wanted, refused = when(layout) if when else None, unless(layout) if unless else None
        if refused is None:
            return wanted or _always
        return lambda row: (wanted is None or wanted(row)) and not refused(row)

    return make


def _always(row: Row) -> bool:
    return True


def _alternatives(node: Node, names: Names) -> TestMaker:
    members = [_all_of(member, names) for member in node.one_or_more()]
    if not members:
        node.fail("a condition is a table of `name: word`, or a list of such tables")

    def make(layout: Layout) -> Test:
        tests = [member(layout) for member in members]
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    return make


def _all_of(node: Node, names: Names) -> TestMaker:
    lines = [_line(name, value, names) for name, value in node.table(what="a condition").items()]
    if not lines:
        node.fail("a condition has at least one `name: word`")

    def make(layout: Layout) -> Test:
        tests = [line(layout) for line in lines]
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    return make


def _line(name: str, node: Node, names: Names) -> TestMaker:
    names.refer(name, f"{node.file}:{node.line}")
    words = frozenset(n.text("a condition's word") for n in node.one_or_more())
    if not words:
        node.fail(f"`{name}` is compared with nothing")

    def make(layout: Layout) -> Test:
        get = layout.getter(name)
        if ANY in words:
            return lambda row: get(row) is not None
        return lambda row: (value := get(row)) in words or (type(value) is not str and _word(value) in words)

    return make


def _word(value: object) -> str:
    return "" if value is None else written(value)
