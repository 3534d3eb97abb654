"""How many bytes of resident memory a value keeps, estimated by walking what it reaches.

`sys.getsizeof` says what an object asked for; the allocator of CPython gives blocks of 16 bytes below 512 and malloc's
blocks above, so each object is rounded up as it will be. Objects that exist once per process (small integers, types,
interned names) weigh nothing. Checked against the growth of resident memory in tests/cache/test_weigh.py.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import sys
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

#: A value that reaches more objects than this is weighed by the average of those seen so far, times what is left.
MAX_OBJECTS = 100_000

_BLOCK = 16
_MALLOC_HEADER = 8
_PYMALLOC_MOST = 512
_FREE = (type(None), bool, type(Ellipsis), type, enum.Enum, ZoneInfo, dt.timezone)
_ATOMS = frozenset({
    int, float, complex, str, bytes, bytearray, dt.datetime, dt.date, dt.time, dt.timedelta,
    Decimal, UUID,
})  # fmt: skip


def weigh(value: object) -> int:
    """Bytes that ``value`` and everything it alone reaches keep resident; each object is counted once."""
    kind = type(value)
    if kind in _ATOMS:
        return _block(sys.getsizeof(value))
    total = 0
    seen: set[int] = set()
    waiting: list[object] = [value]
    while waiting:
        item = waiting.pop()
        if id(item) in seen or isinstance(item, _FREE) or (type(item) is int and -5 <= item <= 256):
            continue
        seen.add(id(item))
        if len(seen) > MAX_OBJECTS:
            return total + len(waiting) * (total // len(seen))
        total += _own(item)
        if type(item) not in _ATOMS:
            waiting.extend(_reached(item))
    return total


def _own(item: object) -> int:
    """The object's own block; an array's buffer belongs to it, or to the array it is a view of."""
    return _block(sys.getsizeof(item))


def _block(size: int) -> int:
    if size > _PYMALLOC_MOST:
        size += _MALLOC_HEADER
    return (size + _BLOCK - 1) & -_BLOCK


def _reached(item: Any) -> list[object]:
    """The objects that ``item`` holds directly."""
    if isinstance(item, dict):
        # Keys are mostly names that exist already: decoders and compilers share them.
        return [k for k in item if type(k) is not str or len(k) > 32] + list(item.values())
    if isinstance(item, list | tuple | set | frozenset):
        return list(item)
    if isinstance(item, msgspec.Struct):
        return [getattr(item, name, None) for name in item.__struct_fields__]
    if dataclasses.is_dataclass(item):
        held = [getattr(item, field.name, None) for field in dataclasses.fields(item)]
        return [*held, vars(item)] if hasattr(item, "__dict__") else held
    base = getattr(item, "base", None)  # an array that is a view
    if base is not None and type(item).__module__ == "numpy":
        return [base]
    return [vars(item)] if hasattr(item, "__dict__") else []
