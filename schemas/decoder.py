"""Avro bytes to plain records by a function that is written out for one schema, at twice fastavro's speed.

Reading is what a worker does most: a library walks the schema for every record, here it is walked once.
Only our own newest schema is read so; older versions need resolution, which is fastavro's. A test compares
both on random records and on broken bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

Decode = Callable[[bytes, int], tuple[dict[str, Any], int]]
"""`(bytes, where the record begins) -> (record, where it ends)`; an end behind the bytes means they are cut off."""

_LONGEST = 63
_SMALL = 64


def _varint(b: bytes, i: int) -> tuple[int, int]:
    """The unsigned number at `i`, and where it ends."""
    n = shift = 0
    while True:
        byte = b[i]
        i += 1
        n |= (byte & 127) << shift
        if byte < 128:
            break
        shift += 7
        if shift > _LONGEST:
            raise ValueError("a number of more than 64 bits")
    if n >> 64:
        raise ValueError("a number of more than 64 bits")
    return n, i


def _length(b: bytes, i: int) -> tuple[int, int]:
    """Twice the length at `i`, which must not be negative (odd, as Avro writes numbers)."""
    n, i = _varint(b, i)
    if n & 1:
        raise ValueError("a negative length")
    return n, i


def _block(b: bytes, i: int) -> tuple[int, int]:
    """Twice the count of a block of a map or array; a negative one is followed by the block's size."""
    n, i = _varint(b, i)
    if n & 1:
        _, i = _varint(b, i)
        n += 1
    return n, i


_NAMES = {"varint": _varint, "length": _length, "block": _block, "double": struct.Struct("<d").unpack_from}
_NUMBER = ("n = b[i]; i += 1", "if n > 127: n, i = varint(b, i - 1)")
_SIMPLE: dict[str, tuple[str, ...]] = {
    "null": ("{0} = None",),
    "boolean": ("n = b[i]; i += 1", "if n > 1: raise ValueError('no boolean')", "{0} = n == 1"),
    "int": (*_NUMBER, "{0} = (n >> 1) ^ -(n & 1)"),
    "long": (*_NUMBER, "{0} = (n >> 1) ^ -(n & 1)"),
    "double": ("{0} = double(b, i)[0]; i += 8",),
    "string": (
        "n = b[i]; i += 1",
        "if n & 129: n, i = length(b, i - 1)",
        "j = i + (n >> 1); {0} = str(b[i:j], 'utf-8'); i = j",
    ),
}


class _Writer:
    """Writes the source of one decoder; `names` are the constants that it uses."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = dict(_NAMES)
        self._known: dict[str, Any] = {}
        self._count = 0

    def name(self, value: Any = None) -> str:
        """A new variable; with a value, a constant."""
        self._count += 1
        name = f"v{self._count}"
        if value is not None:
            self.names[name] = value
        return name

    def read(self, schema: Any, into: str) -> list[str]:
        """The lines that read what `schema` describes into the variable `into`."""
        if isinstance(schema, list):
            return self._union(schema, into)
        if isinstance(schema, str):
            if schema in _SIMPLE:
                return [line.format(into) for line in _SIMPLE[schema]]
            return self.read(self._known[schema], into)
        kind = schema["type"]
        if kind in ("record", "enum"):
            self._known[schema["name"]] = schema
        if kind == "record":
            return self._record(schema, into)
        if kind == "enum":
            return self._enum(schema, into)
        if kind in ("map", "array"):
            return self._many(schema, into)
        return self.read(kind, into)

    def _record(self, schema: Mapping[str, Any], into: str) -> list[str]:
        lines, parts = [], []
        for field in schema["fields"]:
            variable = self.name()
            lines += self.read(field["type"], variable)
            parts.append(f"{field['name']!r}: {variable}")
        return [*lines, f"{into} = {{{', '.join(parts)}}}"]

    def _enum(self, schema: Mapping[str, Any], into: str) -> list[str]:
        if len(schema["symbols"]) > _SMALL:
            raise NotImplementedError("an enum of more than 64 symbols")
        symbols = self.name({2 * n: symbol for n, symbol in enumerate(schema["symbols"])})
        return [f"{into} = {symbols}[b[i]]; i += 1"]

    def _union(self, branches: list[Any], into: str) -> list[str]:
        choice = self.name()
        lines = [f"{choice} = b[i]; i += 1"]
        for n, branch in enumerate(branches):
            lines.append(f"{'if' if n == 0 else 'elif'} {choice} == {2 * n}:")
            lines += [f"    {line}" for line in self.read(branch, into)]
        return [*lines, "else: raise ValueError('no such branch')"]

    def _many(self, schema: Mapping[str, Any], into: str) -> list[str]:
        count, key, item = self.name(), self.name(), self.name()
        if schema["type"] == "map":
            lines = [*self.read("string", key), *self.read(schema["values"], item), f"{into}[{key}] = {item}"]
        else:
            lines = [*self.read(schema["items"], item), f"{into}.append({item})"]
        return [
            f"{into} = {'{}' if schema['type'] == 'map' else '[]'}",
            f"{count} = b[i]; i += 1",
            f"while {count}:",
            f"    if {count} & 129: {count}, i = block(b, i - 1)",
            f"    for _ in range({count} >> 1):",
            *(f"        {line}" for line in lines),
            f"    {count} = b[i]; i += 1",
        ]


def decoder(schema: Mapping[str, Any]) -> Decode:
    """The function that reads records of `schema` (a record, without logical types).

    It raises `ValueError`, `IndexError`, `KeyError` or `struct.error` on bytes that do not fit.
    """
    writer = _Writer()
    body = writer.read(dict(schema), "record")
    source = "\n".join(["def decode(b, i):", *(f"    {line}" for line in body), "    return record, i"])
    exec(compile(source, f"<decoder of {schema['name']}>", "exec"), writer.names)
    decode: Decode = writer.names["decode"]
    return decode
