"""Takes a trace request apart, span by span: whoever reads it can stop for others after any span.

Only one span at a time is turned into Python objects: frames are walked by hand (protobuf) or left raw (JSON), so a
body of many megabytes never holds the event loop. A span that cannot be read is counted and the others go on, as OTLP's
partial success has it (opentelemetry-proto, docs/specification.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from pea.store.otlp.body import BadBody
from pea.store.otlp.json_frames import json_frames
from pea.store.otlp.protobuf_frames import protobuf_frames
from pea.store.otlp.values import Clean, Limits
from pea.telemetry.record import LinkTo, Origin, SpanRecord

_REMOTE = 0x300  # opentelemetry/proto/trace/v1/trace.proto: it is known whether the parent is remote, and it is


class SpanReader:
    """Iterate over it for the spans; afterwards, or meanwhile, ``rejected`` and ``reason`` say what was refused."""

    def __init__(self, data: bytes, *, json: bool, limits: Limits | None = None) -> None:
        self._data = data
        self._json = json
        self._limits = limits or Limits()
        self.accepted = 0
        self.rejected = 0
        self.reason = ""

    def __iter__(self) -> Iterator[SpanRecord]:
        """The spans that can be read. Raises BadBody when the request itself cannot be."""
        frames = json_frames if self._json else protobuf_frames
        limits = self._limits
        clean = Clean(limits, json=self._json)
        origins: dict[Any, Origin] = {}
        for where, make in frames(self._data, clean):
            if self.accepted >= limits.spans:
                self._reject(f"the request has more than {limits.spans:,} spans")
                continue
            try:
                span = make()
                origin = origins.get(where.key)
                if origin is None:
                    origin = origins[where.key] = where.origin()
                record = _record(span, origin, clean)
            except (ValueError, TypeError, RecursionError, BadBody) as error:
                self._reject(f"a span cannot be read: {error}")
                continue
            self.accepted += 1
            yield record

    def _reject(self, reason: str) -> None:
        self.rejected += 1
        self.reason = self.reason or reason[:300]


def read_spans(data: bytes, *, json: bool = False, limits: Limits | None = None) -> list[SpanRecord]:
    """All spans of a request at once."""
    return list(SpanReader(data, json=json, limits=limits))


def _record(span: Any, origin: Origin, clean: Clean) -> SpanRecord:
    limits = clean.limits
    trace_id, span_id = clean.id(span.trace_id, 16), clean.id(span.span_id, 8)
    if not trace_id or not span_id:
        raise msgspec.ValidationError("a trace id has 16 bytes and a span id 8, and neither is all zeros")
    parent_id = clean.id(span.parent_span_id, 8)
    start_ns, end_ns = clean.whole(span.start_time_unix_nano), clean.whole(span.end_time_unix_nano)
    status = span.status
    kind = clean.whole(span.kind)
    code = clean.whole(status.code) if status is not None else 0
    return SpanRecord(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=parent_id,
        name=clean.name(span.name),
        kind=kind if 0 <= kind <= 5 else 0,
        start_ns=start_ns,
        end_ns=max(end_ns, start_ns),
        status=code if 0 <= code <= 2 else 0,
        message=clean.text(status.message or "") if status is not None else "",
        attributes=clean.attributes(span.attributes),
        events=[
            (clean.name(event.name), clean.whole(event.time_unix_nano), clean.attributes(event.attributes), 0)
            for event in (span.events or ())[: limits.events]
        ],
        links=[
            LinkTo(to, clean.id(link.span_id, 8), clean.attributes(link.attributes))
            for link in (span.links or ())[: limits.links]
            if (to := clean.id(link.trace_id, 16))
        ],
        origin=origin,
        entry=not parent_id or (clean.whole(span.flags) & _REMOTE) == _REMOTE,
    )
