"""Spans as stored bytes: one msgpack array each, packed when it ends, joined and compressed when its trace is written.

A chunk is zstd over ``[origins, [span, …]]``; a span names its origin by its place in ``origins``, which are row ids.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from pea.telemetry.leaf import Leaf
from pea.telemetry.record import MAX_TIME_NS, LinkTo, Origin, SpanRecord

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LEVEL = 1  # level 3 makes traces of ten spans 1 % smaller
MAX_CHUNK_BYTES = 256 << 20  # what a stored chunk may inflate to: a damaged length must not fill the memory
_INT64 = 1 << 63

_encode = msgspec.msgpack.Encoder().encode
_own = threading.local()  # a compressor for each thread: making one takes six times as long as a chunk


class _Stored(msgspec.Struct, array_like=True, gc=False):
    origin: int
    span_id: int
    parent_id: int
    name: str
    kind: int
    start_ns: int
    duration_ns: int
    status: int
    message: str
    entry: bool
    attributes: dict[str, Any]
    events: list[tuple[str, int, dict[str, Any], int]] = []
    links: list[tuple[bytes, int, dict[str, Any]]] = []
    leaves: list[tuple[str, int, int, dict[str, Any] | None]] = []


_chunk_decoder = msgspec.msgpack.Decoder(tuple[list[int], list[_Stored]])
_origins_decoder = msgspec.msgpack.Decoder(tuple[list[int], msgspec.Raw])


def pack(record: SpanRecord, origin: int) -> bytes:
    """One span with its leaves; ``origin`` is the place of its origin in the chunk's list."""
    start = _time(record.start_ns)
    events, links, leaves = record.events, record.links, record.leaves
    fields: list[Any] = [
        origin,
        record.span_id,
        record.parent_id,
        record.name,
        record.kind,
        start,
        _time(record.end_ns - start),
        record.status,
        record.message,
        record.entry,
        record.attributes,
    ]
    if events or links or leaves:
        fields += [list(events), [_link(link) for link in links], list(leaves)]
    try:
        return _encode(fields)
    except (TypeError, ValueError, OverflowError, RecursionError):  # UnicodeEncodeError is a ValueError
        return _encode(storable(fields))


def join(origins: Sequence[int], spans: Sequence[bytes]) -> bytes:
    """Packed spans as one compressed chunk."""
    head = b"\x92" + _encode(list(origins)) + b"\xdd" + len(spans).to_bytes(4)  # array of 2; array32
    packer: zstd.ZstdCompressor | None = getattr(_own, "packer", None)
    if packer is None:
        packer = _own.packer = zstd.ZstdCompressor(LEVEL)
    return packer.compress(head + b"".join(spans), zstd.ZstdCompressor.FLUSH_FRAME)


def origins_of(chunk: bytes) -> list[int]:
    """The row ids of a chunk's origins. Raises ValueError when the chunk is damaged."""
    try:
        return _origins_decoder.decode(zstd.ZstdDecompressor().decompress(chunk, MAX_CHUNK_BYTES))[0]
    except (zstd.ZstdError, msgspec.DecodeError) as error:
        raise ValueError(f"a stored chunk is damaged: {error!r}") from error


def split(chunk: bytes, trace_id: int, origins: Mapping[int, Origin]) -> list[SpanRecord]:
    """The spans of a chunk, leaves in their short form. Raises ValueError when the chunk is damaged."""
    try:
        decompressor = zstd.ZstdDecompressor()
        data = decompressor.decompress(chunk, MAX_CHUNK_BYTES)
        numbers, stored = _chunk_decoder.decode(data)
        known = [origins[number] for number in numbers]
        return [_record(span, trace_id, known[span.origin]) for span in stored]
    except (zstd.ZstdError, msgspec.DecodeError, KeyError, IndexError) as error:
        raise ValueError(f"a stored chunk is damaged: {error!r}") from error


def pack_origin(origin: Origin) -> bytes:
    """An origin's bytes; equal origins have equal bytes."""
    fields = [origin.service, origin.resource, origin.scope, origin.scope_version]
    try:
        return _encode(fields)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return _encode(storable(fields))


def unpack_origin(data: bytes) -> Origin:
    """What `pack_origin` packed."""
    return Origin(*msgspec.msgpack.decode(data, type=tuple[str, dict[str, Any], str, str]))


def storable(value: Any, depth: int = 0) -> Any:
    """The nearest value that msgpack can hold: whole numbers beyond 64 bits and unknown types become text."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, bool | float | bytes) or value is None:
        return value
    if isinstance(value, int):
        return int(value) if -_INT64 <= value < 2 * _INT64 else str(value)[:100] if abs(value) < 10**100 else "int"
    if depth > 16:
        return "…"
    if isinstance(value, Mapping):
        return {str(storable(str(key))): storable(item, depth + 1) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [storable(item, depth + 1) for item in value]
    return storable(str(value))


def _time(value: int) -> int:
    return min(max(value, 0), MAX_TIME_NS)


def _link(link: LinkTo) -> tuple[bytes, int, Mapping[str, Any]]:
    return link.trace_id.to_bytes(16), link.span_id, link.attributes


def _record(span: _Stored, trace_id: int, origin: Origin) -> SpanRecord:
    leaves: list[Leaf] = span.leaves  # type: ignore[assignment]  # a list is invariant, its tuples are what they should be
    return SpanRecord(
        trace_id=trace_id,
        span_id=span.span_id,
        parent_id=span.parent_id,
        name=span.name,
        kind=span.kind,
        start_ns=span.start_ns,
        end_ns=span.start_ns + span.duration_ns,
        status=span.status,
        message=span.message,
        attributes=span.attributes,
        events=span.events,
        links=[LinkTo(int.from_bytes(to), span_id, about) for to, span_id, about in span.links],
        leaves=leaves,
        origin=origin,
        entry=span.entry,
    )
