"""How a value is held so that no caller can change what the next one gets: shared, encoded, or copied.

- *shared*: nothing in it can be changed (text, numbers, times, tuples and frozen structs of such): every caller gets
  the same object.
- *encoded*: plain lists and mappings, as JSON knows them, are held as MessagePack; every caller gets a fresh tree.
- *copied*: whatever else `copy.deepcopy` can copy; copied when stored and for every caller.
- an array is held as bytes that nobody can make writeable, and shared.

A value that cannot be held in any of these ways is not cached (`Uncacheable`), its caller has it all the same.
"""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import enum
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from pea.cache.weigh import weigh

MAX_DEPTH = 64

_ATOMS = frozenset({
    type(None), bool, int, float, complex, str, bytes, type(Ellipsis), range, Decimal, UUID, ZoneInfo,
    dt.datetime, dt.date, dt.time, dt.timedelta, dt.timezone,
})  # fmt: skip

Open = Callable[[Any], Any]

_decode = msgspec.msgpack.Decoder().decode
_encode = msgspec.msgpack.Encoder().encode


class Uncacheable(Exception):
    """The value cannot be held safely: it neither is immutable nor can be encoded or copied, or is nested too deep."""


def hold(value: Any) -> tuple[Any, Open | None, int]:
    """What to keep of ``value``, how to make the caller's value of it (None: as it is), and its bytes.

    Raises Uncacheable.
    """
    if type(value) in _ATOMS:
        return value, None, weigh(value)
    if _is_array(value):
        return _hold_array(value)
    try:
        if _is_frozen(value, 0):
            return value, None, weigh(value)
        if _is_plain(value, 0):
            data = _encode(value)
            return data, _decode, weigh(data)
        kept = copy.deepcopy(value)
        return kept, copy.deepcopy, weigh(kept)
    except Exception as error:  # what a value's own methods raise is theirs; the answer is the same
        raise Uncacheable(f"{type(value).__qualname__} cannot be cached: {type(error).__name__}: {error}") from error


def _is_frozen(value: Any, depth: int) -> bool:
    """Whether neither ``value`` nor anything in it can be changed."""
    if type(value) in _ATOMS or isinstance(value, enum.Enum):
        return True
    if depth > MAX_DEPTH:
        raise RecursionError(f"nested deeper than {MAX_DEPTH}")
    if type(value) is tuple or type(value) is frozenset:
        return all(_is_frozen(item, depth + 1) for item in value)
    if isinstance(value, msgspec.Struct):
        return bool(value.__struct_config__.frozen) and all(
            _is_frozen(getattr(value, name, None), depth + 1) for name in value.__struct_fields__
        )
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return bool(value.__dataclass_params__.frozen) and all(  # type: ignore[attr-defined]
            _is_frozen(getattr(value, field.name, None), depth + 1) for field in dataclasses.fields(value)
        )
    return isinstance(value, tuple) and hasattr(value, "_fields") and all(_is_frozen(v, depth + 1) for v in value)


def _is_plain(value: Any, depth: int) -> bool:
    """Whether MessagePack gives the same tree back: JSON's types only, exactly, integers of 64 bits."""
    kind = type(value)
    if kind is int:
        return bool(-(1 << 63) <= value < 1 << 64)
    if kind is str:
        return bool(value.isascii()) or not any("\ud800" <= char <= "\udfff" for char in value)
    if kind in (type(None), bool, float, bytes):
        return True
    if depth > MAX_DEPTH:
        raise RecursionError(f"nested deeper than {MAX_DEPTH}")
    if kind is list:
        return all(_is_plain(item, depth + 1) for item in value)
    if kind is dict:
        return all(type(k) is str and _is_plain(k, depth) and _is_plain(v, depth + 1) for k, v in value.items())
    return False


def _is_array(value: Any) -> bool:
    # While a thread imports numpy the module is there without its names; until it is done there are no arrays.
    kind = getattr(sys.modules.get("numpy"), "ndarray", None)
    return kind is not None and type(value) is kind and not value.dtype.hasobject


def _hold_array(value: Any) -> tuple[Any, Open | None, int]:
    import numpy as np

    # Bytes lie below the array: a caller's setflags(write=True) is refused.
    kept = np.frombuffer(value.tobytes(), dtype=value.dtype).reshape(value.shape)
    return kept, None, weigh(kept)
