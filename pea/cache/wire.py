"""Values as MessagePack for the tiers outside the process, with exact types and without ever running what was read.

What MessagePack does not know (tuples, sets, times with their zone, decimals, structs) travels as tagged extensions.
A struct, dataclass or enum is only ever made if the namespace's declared type reaches it: data cannot name a class.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import hashlib
import zlib
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from msgspec import inspect
from msgspec.msgpack import Ext

from pea.cache.values import MAX_DEPTH

MAX_RECORD = 64 << 20  # bytes of a value, unpacked

_TUPLE, _SET, _FROZENSET, _MAP, _INT = 1, 2, 3, 4, 5
_DATETIME, _DATE, _TIME, _DELTA, _DECIMAL, _UUID, _ZONED = 10, 11, 12, 13, 14, 15, 16
_STRUCT, _DATACLASS, _ENUM, _ARRAY = 20, 21, 22, 23

_encode = msgspec.msgpack.Encoder().encode


class Unportable(Exception):
    """The value cannot leave the process: its type is not among those that the namespace declares, or too large."""


class Garbage(Exception):
    """What was read is not what this namespace writes."""


class Codec:
    """Packs and unpacks the values of one declared type; ``fingerprint`` changes whenever its fields do."""

    def __init__(self, declared: Any = Any) -> None:
        self._known = {_name(kind): kind for kind in _reached(declared)}
        shapes = sorted(_shape(kind) for kind in self._known.values())
        self.fingerprint = hashlib.sha256("\n".join(shapes).encode()).hexdigest()[:12]
        self._decode = msgspec.msgpack.Decoder(ext_hook=self._extension).decode

    def pack(self, value: Any, compress_above: int) -> bytes:
        """Bytes, compressed when there are more than ``compress_above``. Raises Unportable."""
        try:
            data = _encode(self._tree(value, 0))
        except (RecursionError, TypeError, ValueError, OverflowError, UnicodeEncodeError) as error:
            raise Unportable(str(error)) from error
        if len(data) > MAX_RECORD:
            raise Unportable(f"{len(data):,} bytes are more than {MAX_RECORD:,}")
        return b"z" + zlib.compress(data, 1) if len(data) > compress_above else b"p" + data

    def unpack(self, data: bytes) -> Any:
        """The value. Raises Garbage for whatever `pack` has not written."""
        try:
            if data[:1] == b"z":
                inflate = zlib.decompressobj()
                plain = inflate.decompress(data[1:], MAX_RECORD)
                if inflate.unconsumed_tail or not inflate.eof:
                    raise Garbage("a record that does not end where it should")
            elif data[:1] == b"p":
                plain = data[1:]
            else:
                raise Garbage("neither plain nor compressed")
            return self._decode(plain)
        except Garbage:
            raise
        except Exception as error:  # bytes from outside can make any constructor raise anything
            raise Garbage(f"{type(error).__name__}: {error}") from error

    def _tree(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is int:
            return value if -(1 << 63) <= value < 1 << 64 else Ext(_INT, str(value).encode())
        if kind in (type(None), bool, float, str, bytes):
            return value
        if depth > MAX_DEPTH:
            raise RecursionError(f"nested deeper than {MAX_DEPTH}")
        if kind is list:
            return [self._tree(item, depth + 1) for item in value]
        if kind is dict:
            if all(type(key) is str for key in value):
                return {key: self._tree(item, depth + 1) for key, item in value.items()}
            pairs = [[self._tree(key, depth + 1), self._tree(item, depth + 1)] for key, item in value.items()]
            return Ext(_MAP, _encode(pairs))
        code = _COLLECTIONS.get(kind)
        if code is not None:
            return Ext(code, _encode([self._tree(item, depth + 1) for item in value]))
        writer = _WRITERS.get(kind)
        if writer is not None:
            return Ext(writer[0], writer[1](value))
        return self._declared(value, depth)

    def _declared(self, value: Any, depth: int) -> Ext:
        kind = type(value)
        name = _name(kind)
        if kind.__module__ == "numpy" and kind.__name__ == "ndarray":
            return _pack_array(value)
        if self._known.get(name) is not kind:
            raise Unportable(f"{name} is not part of the namespace's type")
        if isinstance(value, enum.Enum):
            return Ext(_ENUM, _encode([name, value.name]))
        names = (
            value.__struct_fields__ if isinstance(value, msgspec.Struct) else [f.name for f in dataclasses.fields(kind)]
        )
        fields = {field: self._tree(getattr(value, field), depth + 1) for field in names}
        return Ext(_STRUCT if isinstance(value, msgspec.Struct) else _DATACLASS, _encode([name, fields]))

    def _extension(self, code: int, view: memoryview) -> Any:
        data = bytes(view)
        reader = _READERS.get(code)
        if reader is not None:
            return reader(data.decode())
        if code == _ARRAY:
            return _unpack_array(self._decode(data))
        items = self._decode(data)
        if code == _MAP:
            return dict(items)
        maker = _MAKERS.get(code)
        if maker is not None:
            return maker(items)
        name, content = items
        kind = self._known[name]
        if code == _ENUM:
            return kind[content]  # type: ignore[index]
        if code in (_STRUCT, _DATACLASS):
            return kind(**content)
        raise Garbage(f"unknown extension {code}")


def _delta(text: str) -> dt.timedelta:
    days, seconds, microseconds = map(int, text.split(","))
    return dt.timedelta(days, seconds, microseconds)


def _write_moment(value: dt.datetime) -> bytes:
    zone = value.tzinfo.key if isinstance(value.tzinfo, ZoneInfo) else None
    if zone is not None:
        return f"{value.replace(tzinfo=None).isoformat()}|{value.fold}|{zone}".encode()
    if value.tzinfo is not None and not isinstance(value.tzinfo, dt.timezone):
        raise TypeError(f"a time zone of type {type(value.tzinfo).__name__}")
    return f"{value.isoformat()}|{value.fold}|".encode()


def _read_moment(text: str) -> dt.datetime:
    moment, fold, zone = text.split("|")
    value = dt.datetime.fromisoformat(moment).replace(fold=int(fold))
    return value.replace(tzinfo=ZoneInfo(zone)) if zone else value


def _pack_array(array: Any) -> Ext:
    if array.dtype.hasobject:
        raise Unportable("an array of objects")
    return Ext(_ARRAY, _encode([array.dtype.str, list(array.shape), array.tobytes()]))


def _unpack_array(parts: Any) -> Any:
    import numpy as np

    kind, shape, data = parts
    dtype = np.dtype(kind)
    if dtype.hasobject:
        raise Garbage("an array of objects")
    return np.frombuffer(data, dtype=dtype).reshape(shape)


def _text(value: object) -> bytes:
    return str(value).encode()


def _zone(value: ZoneInfo) -> bytes:
    if not value.key:
        raise TypeError("a time zone without a name")
    return value.key.encode()


_COLLECTIONS: dict[type, int] = {tuple: _TUPLE, set: _SET, frozenset: _FROZENSET}
_MAKERS: dict[int, Callable[[Any], Any]] = {_TUPLE: tuple, _SET: set, _FROZENSET: frozenset}
_WRITERS: dict[type, tuple[int, Callable[[Any], bytes]]] = {
    dt.datetime: (_DATETIME, _write_moment),
    dt.date: (_DATE, _text),
    dt.time: (_TIME, lambda t: t.isoformat().encode()),
    dt.timedelta: (_DELTA, lambda d: f"{d.days},{d.seconds},{d.microseconds}".encode()),
    Decimal: (_DECIMAL, _text),
    UUID: (_UUID, _text),
    ZoneInfo: (_ZONED, _zone),
}
_READERS: dict[int, Callable[[str], Any]] = {
    _INT: int,
    _DATETIME: _read_moment,
    _DATE: dt.date.fromisoformat,
    _TIME: dt.time.fromisoformat,
    _DELTA: _delta,
    _DECIMAL: Decimal,
    _UUID: UUID,
    _ZONED: ZoneInfo,
}


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _reached(declared: Any) -> set[type]:
    """The structs, dataclasses and enums that a declared type can contain."""
    found: set[type] = set()
    waiting: list[Any] = [declared]
    while waiting:
        item = waiting.pop()
        if isinstance(item, type) and (issubclass(item, msgspec.Struct | enum.Enum) or dataclasses.is_dataclass(item)):
            if item in found:
                continue
            found.add(item)
            waiting.extend(_field_types(item))
        else:
            waiting.extend(get_args(item))
    return found


def _field_types(kind: type) -> Iterator[Any]:
    if issubclass(kind, enum.Enum):
        return
    about = inspect.type_info(kind)
    for field in getattr(about, "fields", ()):
        yield from _classes(field.type)


def _classes(about: Any) -> Iterator[type]:
    """The classes in msgspec's description of a type."""
    if isinstance(about, inspect.StructType | inspect.DataclassType | inspect.EnumType):
        yield about.cls
        return
    for name in getattr(about, "__struct_fields__", ()):
        part = getattr(about, name)
        for item in part if isinstance(part, tuple) else (part,):
            if isinstance(item, inspect.Type):
                yield from _classes(item)


def _shape(kind: type) -> str:
    if issubclass(kind, enum.Enum):
        return f"{_name(kind)}={','.join(kind.__members__)}"
    fields = msgspec.structs.fields(kind) if issubclass(kind, msgspec.Struct) else dataclasses.fields(kind)  # type: ignore[arg-type]
    return f"{_name(kind)}({','.join(f'{field.name}:{field.type}' for field in fields)})"
