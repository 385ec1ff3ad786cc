"""Every producer partitions as Java does: otherwise state and events part ways silently (design §3)."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.house.source import python_files, tree

PARTITIONER = "murmur2_random"
PRODUCERS = {"Producer", "SerializingProducer", "AIOProducer"}
Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Module


def holds_partitioner(node: ast.AST) -> bool:
    """Whether the literal stands in this piece of code."""
    return any(isinstance(part, ast.Constant) and part.value == PARTITIONER for part in ast.walk(node))


def names_with_partitioner() -> set[str]:
    """The functions and module constants, of all files, in which the literal stands."""
    found: set[str] = set()
    for path in python_files():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef) and holds_partitioner(node):
                found.add(node.name)
        for node in tree(path).body:
            if isinstance(node, ast.Assign | ast.AnnAssign) and holds_partitioner(node):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def constructions(scope: Scope) -> Iterator[tuple[Scope, ast.Call]]:
    """Each construction of a producer, with the innermost function around it."""
    stack: list[tuple[Scope, ast.AST]] = [(scope, scope)]
    while stack:
        around, node = stack.pop()
        for child in ast.iter_child_nodes(node):
            inner = child if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else around
            stack.append((inner, child))
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in PRODUCERS:
                yield around, node


def is_sound(around: Scope, call: ast.Call, sound_names: set[str]) -> bool:
    """Whether the call, or what stands around it, holds the partitioner or asks a name that does."""
    if holds_partitioner(call):
        return True
    if isinstance(around, ast.Module):
        return False
    asked = {getattr(node, "id", None) or getattr(node, "attr", None) for node in ast.walk(around)}
    return holds_partitioner(around) or bool(asked & sound_names)


def knows_kafka(path: str) -> bool:
    """Whether a file imports from confluent_kafka (there are other things called Producer)."""
    return any(
        (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("confluent_kafka"))
        or (isinstance(node, ast.Import) and any(a.name.startswith("confluent_kafka") for a in node.names))
        for node in ast.walk(tree(path))
    )


def test_every_producer_uses_murmur2() -> None:
    sound_names = names_with_partitioner()
    found = [
        (f"{path}:{call.lineno}", is_sound(around, call, sound_names))
        for path in python_files()
        if knows_kafka(path)
        for around, call in constructions(tree(path))
    ]
    assert found
    assert not [where for where, sound in found if not sound]


def test_the_rule_sees_a_producer_without() -> None:
    module = ast.parse("def f(c):\n    return Producer({'bootstrap.servers': c})\n")
    [(around, call)] = constructions(module)
    assert not is_sound(around, call, {"producer_config"})
