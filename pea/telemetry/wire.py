"""Protobuf by hand: the few shapes that OTLP attributes are made of, as bytes equal to the official encoder's.

Field numbers are those of opentelemetry/proto/common/v1/common.proto. Keys and short values come again and again, so
their bytes are remembered, within bounds.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.util.types import AnyValue

_log = logging.getLogger(__name__)

MAX_KEYS = 512
MAX_VALUES_PER_KEY = 64
MAX_REMEMBERED_BYTES = 160  # key and value

_double = struct.Struct("<d").pack
_INT64_MIN, _INT64_MAX = -(1 << 63), (1 << 63) - 1


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


_VARINTS = tuple(map(_varint, range(2048)))


def varint(number: int) -> bytes:
    """A non-negative integer in base 128, least significant group first."""
    return _VARINTS[number] if number < 2048 else _varint(number)


def sized(data: bytes) -> bytes:
    """``data`` with its length before it, as strings and nested messages are written."""
    return varint(len(data)) + data


def text(value: object) -> bytes:
    """UTF-8 of a name; what is not text or has lone surrogates is written as well as it can be, so no batch is lost."""
    try:
        return value.encode() if isinstance(value, str) else str(value).encode()
    except UnicodeEncodeError:
        return str(value).encode("utf-8", "replace")


def any_value(value: object) -> bytes:
    """An AnyValue message; raises what the official encoder raises: for lone surrogates, for huge integers."""
    if value is None:
        return b""
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, str):
        return b"\x0a" + sized(value.encode())
    if isinstance(value, int):
        if not _INT64_MIN <= value <= _INT64_MAX:  # a range would be searched through for an IntEnum
            raise ValueError(f"Value out of range: {value}")
        return b"\x18" + varint(value & 0xFFFFFFFFFFFFFFFF)
    if isinstance(value, float):
        return b"\x21" + _double(value)
    if isinstance(value, bytes):
        return b"\x3a" + sized(value)
    if isinstance(value, Sequence):
        return b"\x2a" + sized(b"".join([b"\x0a" + sized(any_value(item)) for item in value]))
    if isinstance(value, Mapping):
        return b"\x32" + sized(b"".join([b"\x0a" + key_value(str(key), item) for key, item in value.items()]))
    raise TypeError(f"Invalid type {type(value)} of value {value}")


def key_value(key: str, value: object) -> bytes:
    """A KeyValue message with its length before it."""
    name = b"\x0a" + sized(key.encode()) if key else b""
    return sized(name + b"\x12" + sized(any_value(value)))


class _Values(dict[Any, bytes]):
    """One key's values of one type, and their bytes."""

    __slots__ = ("_key",)

    def __init__(self, key: str) -> None:
        super().__init__()
        self._key = b"\x0a" + sized(key.encode()) + b"\x12"

    def __missing__(self, value: AnyValue) -> bytes:
        data = sized(self._key + sized(any_value(value)))
        if len(self) < MAX_VALUES_PER_KEY and len(data) < MAX_REMEMBERED_BYTES:
            self[value] = data
        return data


class _FreshValues(_Values):
    """The same without a memory: 0.0 equals -0.0 as a dictionary's key, and NaN is not even itself."""

    __slots__ = ()

    def __missing__(self, value: AnyValue) -> bytes:
        return sized(self._key + sized(any_value(value)))


class _Keys(dict[str, _Values]):
    """The keys seen with values of one type."""

    __slots__ = ("_kind",)

    def __init__(self, kind: type[_Values]) -> None:
        super().__init__()
        self._kind = kind

    def __missing__(self, key: str) -> _Values:
        if type(key) is not str or not key:
            raise TypeError(f"an attribute's key must be text and not empty, not {key!r}")
        values = self._kind(key)
        if len(self) < MAX_KEYS:
            self[key] = values
        return values


# By exact type, because 1, True and 1.0 are one key to a dictionary.
_remembered: dict[type, _Keys] = {
    str: _Keys(_Values),
    int: _Keys(_Values),
    bool: _Keys(_Values),
    float: _Keys(_FreshValues),
    bytes: _Keys(_FreshValues),
    type(None): _Keys(_FreshValues),
}


def attributes(tag: bytes, given: Mapping[str, AnyValue]) -> bytes:
    """Clean attributes as repeated KeyValue fields with ``tag``; one that cannot be encoded is logged and left out."""
    if not given:
        return b""
    known = remembered_attributes(tag, given)
    return _attributes_one_by_one(tag, dict(given)) if known is None else known


def remembered_attributes(tag: bytes, given: Mapping[str, AnyValue]) -> bytes | None:
    """The same for attributes that need no cleaning; None when a key or value is not of the usual kind."""
    fields = [b""]
    add = fields.append
    try:
        for key, value in given.items():
            add(_remembered[type(value)][key][value])
    except (KeyError, TypeError, ValueError, RuntimeError):  # RuntimeError: another thread has written
        return None
    return tag.join(fields)


def _attributes_one_by_one(tag: bytes, given: dict[str, AnyValue]) -> bytes:
    fields = [b""]
    for key, value in given.items():
        try:
            fields.append(key_value(key, value))
        except (ValueError, TypeError, RecursionError) as error:
            _log.exception("Failed to encode key %s: %s", key, error)
    return tag.join(fields)
