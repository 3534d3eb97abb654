"""Attribute values of both encodings as plain values, each brought within bounds."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterable
from typing import Any

import msgspec

_INT64 = 1 << 63
_UINT64 = (1 << 64) - 1


class Limits(msgspec.Struct, frozen=True):
    """What a request may hold; beyond it spans are rejected, and attributes, events and links left out."""

    spans: int = 50_000
    attributes: int = 256  # of a span, an event, a link or a resource
    events: int = 256
    links: int = 128
    text: int = 32_768  # characters of a value
    name: int = 1_024  # characters of a name or key
    depth: int = 8  # of lists and maps in a value
    items: int = 1_024  # of lists and maps in a value, all levels together


class Clean:
    """Reads values; ``json`` tells how ids, bytes and whole numbers are written."""

    def __init__(self, limits: Limits, *, json: bool) -> None:
        self.limits = limits
        self._json = json
        self._value = self._json_value if json else self._protobuf_value

    def id(self, given: Any, size: int) -> int:
        """An id, 0 when there is none. Raises ValueError when its length is wrong."""
        if not given:
            return 0
        data = bytes.fromhex(given) if self._json else given
        if len(data) != size:
            raise ValueError(f"an id has {len(data)} bytes where {size} belong")
        return int.from_bytes(data)

    def whole(self, given: Any) -> int:
        """A whole number that JSON may write as text, within 64 bits."""
        if isinstance(given, str):
            given = int(given) if len(given) <= 24 else _UINT64
        if isinstance(given, float):
            given = int(given) if math.isfinite(given) else 0
        return min(max(given or 0, -_INT64), _UINT64)

    def name(self, given: str | None) -> str:
        """A name, cut at the bound."""
        return (given or "")[: self.limits.name]

    def text(self, given: str) -> str:
        """A text, cut at the bound."""
        most = self.limits.text
        return given if len(given) <= most else given[: most - 1] + "…"

    def attributes(self, given: Iterable[Any] | None) -> dict[str, Any]:
        """Key-value pairs as a dictionary; of a key that comes twice the last counts."""
        found: dict[str, Any] = {}
        if given:
            most = self.limits.attributes
            for pair in given:
                key = self.name(pair.key)
                if key and (len(found) < most or key in found):
                    found[key] = self._value(pair.value, 0, [self.limits.items])
        return found

    def _protobuf_value(self, value: Any, depth: int, room: list[int]) -> Any:
        kind = value.WhichOneof("value")
        if kind == "string_value":
            return self.text(value.string_value)
        if kind is None:
            return None
        given = getattr(value, kind)
        if kind == "array_value":
            return self._list(given.values, depth, room)
        if kind == "kvlist_value":
            return self._map(given.values, depth, room)
        return given[: self.limits.text] if kind == "bytes_value" else given

    def _json_value(self, value: Any, depth: int, room: list[int]) -> Any:
        if value is None:
            return None
        if value.string_value is not None:
            return self.text(value.string_value)
        if value.bool_value is not None:
            return value.bool_value
        if value.int_value is not None:
            return min(self.whole(value.int_value), _INT64 - 1)
        if value.double_value is not None:
            return float(value.double_value)
        if value.array_value is not None:
            return self._list(value.array_value.values or (), depth, room)
        if value.kvlist_value is not None:
            return self._map(value.kvlist_value.values or (), depth, room)
        if value.bytes_value is not None:
            try:
                return base64.b64decode(value.bytes_value, validate=True)[: self.limits.text]
            except (binascii.Error, ValueError):
                return self.text(value.bytes_value)
        return None

    def _list(self, values: Iterable[Any], depth: int, room: list[int]) -> Any:
        if depth >= self.limits.depth:
            return "…"
        return [self._value(one, depth + 1, room) for one in values if self._fits(room)]

    def _map(self, values: Iterable[Any], depth: int, room: list[int]) -> Any:
        if depth >= self.limits.depth:
            return "…"
        return {self.name(one.key): self._value(one.value, depth + 1, room) for one in values if self._fits(room)}

    @staticmethod
    def _fits(room: list[int]) -> bool:
        room[0] -= 1
        return room[0] >= 0
