"""Every producer partitions as Java does: otherwise state and events part ways silently (design §3).

A construction is sound if its call holds the partitioner, or if it takes a configuration made elsewhere and
its file uses a name (constant or function) that stands for one with the partitioner.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

import pytest

from tests.house.source import python_files, tree

PARTITIONER = "murmur2_random"
PRODUCERS = {"Producer", "SerializingProducer", "AIOProducer"}


def holds_partitioner(node: ast.AST) -> bool:
    """Whether the literal stands in this piece of code."""
    return any(isinstance(part, ast.Constant) and part.value == PARTITIONER for part in ast.walk(node))


def names_in(node: ast.AST) -> set[str]:
    """The functions that a piece of code calls and the CONSTANTS that it reads (variables prove nothing)."""
    found: set[str] = set()
    for part in ast.walk(node):
        named = part.func if isinstance(part, ast.Call) else part
        name = getattr(named, "attr", getattr(named, "id", None))
        if isinstance(name, str) and (isinstance(part, ast.Call) or name.isupper()):
            found.add(name)
    return found


def definitions(trees: Iterable[ast.Module]) -> Iterator[tuple[str, ast.AST]]:
    """With their names: what a function returns, the dicts that it builds, the values of module constants."""
    for module in trees:
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef):
                built = (part for part in ast.walk(node) if isinstance(part, ast.Return | ast.Dict))
                yield from ((node.name, part) for part in built)
        for node in module.body:
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                yield from ((target.id, node.value) for target in targets if isinstance(target, ast.Name))


def sound_names(trees: Iterable[ast.Module]) -> set[str]:
    """The names that stand for the partitioner: constants, functions that build it in, and what uses those."""
    values = list(definitions(trees))
    sound = {name for name, value in values if holds_partitioner(value)}
    while grown := {name for name, value in values if names_in(value) & sound} - sound:
        sound |= grown
    return sound


def constructions(module: ast.Module) -> list[ast.Call]:
    """Each construction of a producer of confluent_kafka."""
    imports = [node for node in ast.walk(module) if isinstance(node, ast.ImportFrom | ast.Import)]
    origins = [getattr(node, "module", None) or node.names[0].name for node in imports]
    if not any(origin.startswith("confluent_kafka") for origin in origins):
        return []
    calls = [node for node in ast.walk(module) if isinstance(node, ast.Call)]
    return [node for node in calls if getattr(node.func, "attr", getattr(node.func, "id", "")) in PRODUCERS]


def is_sound(call: ast.Call, module: ast.Module, sound: set[str]) -> bool:
    """Whether this producer gets the partitioner, as far as its file shows."""
    if holds_partitioner(call) or names_in(call) & sound:
        return True
    made_here = call.args and isinstance(call.args[0], ast.Dict) and None not in call.args[0].keys
    return not made_here and (holds_partitioner(module) or bool(names_in(module) & sound))


def test_every_producer_uses_murmur2() -> None:
    trees = {path: tree(path) for path in python_files()}
    sound = sound_names(trees.values())
    found = [
        (f"{path}:{call.lineno}", is_sound(call, module, sound))
        for path, module in trees.items()
        for call in constructions(module)
    ]
    assert found
    assert not [where for where, is_so in found if not is_so]


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        ("Producer({'bootstrap.servers': b})", False),
        ("Producer({'bootstrap.servers': b, 'partitioner': 'consistent_random'})", False),
        ("Producer({'bootstrap.servers': b, 'partitioner': 'murmur2_random'})", True),
        ("def f(c):\n    return Producer(c)", False),
        ("def f():\n    return Producer(conf())\ndef conf():\n    return {'partitioner': 'murmur2_random'}", True),
        ("P = 'murmur2_random'\ndef f():\n    return Producer({'partitioner': P})", True),
    ],
)
def test_the_rule_tells_them_apart(text: str, sound: bool) -> None:
    module = ast.parse("from confluent_kafka import Producer\n" + text)
    [call] = constructions(module)
    assert is_sound(call, module, sound_names([module])) is sound
