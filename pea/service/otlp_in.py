"""OTLP over HTTP: any program with OpenTelemetry can send its spans and metrics here (opentelemetry-proto, OTLP 1.x).

Bodies are bounded before and after they are inflated, and together; what does not fit is answered 413, or 429 with
Retry-After. Requests are taken apart on the loop in slices of half a millisecond, so that others have their turn.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web

from pea.config import StoreSettings
from pea.service.access.scopes import Scope
from pea.service.chronicle import chronicle_of
from pea.service.operation import Answer, Header, Operation
from pea.store.otlp import BadBody, Limits, SpanReader, inflate, metric_samples, preload
from pea.store.otlp.body import ENCODINGS
from pea.store.otlp.metrics import MAX_POINTS
from pea.telemetry.wire import sized, text, varint

PROTOBUF, JSON = "application/x-protobuf", "application/json"
SLICE_S = 0.000_5
BATCH = 8  # spans between two looks at the clock
READ_TIMEOUT_S = 30.0
RETRY_AFTER_S = 1
_INVALID, _EXHAUSTED, _UNIMPLEMENTED, _TOO_SLOW = 3, 8, 12, 4  # google.rpc.Code
_MAGIC = {"gzip": b"\x1f\x8b", "deflate": b"\x78", "zstd": b"\x28\xb5\x2f\xfd"}


class IngestStatus(msgspec.Struct):
    """Counts since the start; ``waiting_bytes`` of bodies in hand."""

    requests: int = 0
    spans: int = 0
    rejected: int = 0
    samples: int = 0
    refused: int = 0  # requests that were answered 4xx
    pushed_back: int = 0  # of those, with 429
    waiting_bytes: int = 0


class Ingest:
    """What the handlers share: bounds and counts."""

    def __init__(self, settings: StoreSettings) -> None:
        self.settings = settings
        self.limits = Limits(spans=settings.ingest_spans)
        self.status = IngestStatus()
        self.ready = False  # the protobuf classes are imported with the first request


_Work = Callable[[web.Request, Ingest, bytes, bool], Awaitable[tuple[int, str]]]

INGEST: web.AppKey[Ingest] = web.AppKey("ingest", Ingest)


class _Refused(Exception):
    """A request that is not taken: HTTP status, google.rpc.Code and why."""

    def __init__(self, status: int, code: int, what: str) -> None:
        super().__init__(what)
        self.status = status
        self.code = code


async def take_traces(request: web.Request) -> web.Response:
    """Take spans. What cannot be read is counted and said in a partial success; the rest is taken."""
    return await _take(request, _spans)


async def take_metrics(request: web.Request) -> web.Response:
    """Take metrics: the newest value of each series goes into the series store."""
    return await _take(request, _metrics)


async def _take(request: web.Request, work: _Work) -> web.Response:
    ingest = request.app[INGEST]
    json = request.content_type == JSON
    ingest.status.requests += 1
    try:
        async with _body(request, ingest) as data:
            rejected, reason = await work(request, ingest, data, json)
    except (_Refused, BadBody) as error:
        ingest.status.refused += 1
        if isinstance(error, BadBody):
            too_large = error.too_large
            error = _Refused(413 if too_large else 400, _EXHAUSTED if too_large else _INVALID, str(error))
        ingest.status.pushed_back += error.status == 429
        return _refusal(error, json=json)
    ingest.status.rejected += rejected
    return _success(rejected, reason, json=json, points=work is _metrics)


async def _spans(request: web.Request, ingest: Ingest, data: bytes, json: bool) -> tuple[int, str]:  # noqa: FBT001
    chronicle = chronicle_of(request)
    if not json and not ingest.ready:
        await asyncio.to_thread(preload)
        ingest.ready = True
    reader = SpanReader(data, json=json, limits=ingest.limits)
    batch = []
    began = time.perf_counter()
    for record in reader:
        batch.append(record)
        if len(batch) >= BATCH:
            chronicle.ingest(batch)
            ingest.status.spans += len(batch)
            batch = []
            if time.perf_counter() - began > SLICE_S:
                await asyncio.sleep(0)
                began = time.perf_counter()
    chronicle.ingest(batch)
    ingest.status.spans += len(batch)
    return reader.rejected, reader.reason


async def _metrics(request: web.Request, ingest: Ingest, data: bytes, json: bool) -> tuple[int, str]:  # noqa: FBT001
    samples = await asyncio.to_thread(metric_samples, data, json=json, limits=ingest.limits)
    series = chronicle_of(request).series
    left_out = await asyncio.to_thread(series.sample, time.time(), samples)
    ingest.status.samples += len(samples)
    reasons = ["there are more series than store.series"] * bool(left_out)
    reasons += [f"a request may have {MAX_POINTS:,} data points"] * bool(samples.rejected)
    return samples.rejected + left_out, "; ".join(reasons)


@asynccontextmanager
async def _body(request: web.Request, ingest: Ingest) -> AsyncIterator[bytes]:
    """The inflated body, counted among what is in hand for as long as it is used."""
    settings, status = ingest.settings, ingest.status
    if request.content_type not in {PROTOBUF, JSON}:
        raise _Refused(415, _UNIMPLEMENTED, f"send {PROTOBUF} or {JSON}")
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in {"", "identity", *ENCODINGS}:
        raise _Refused(415, _UNIMPLEMENTED, f"send the body as it is, or as {', '.join(ENCODINGS)}")
    if chronicle_of(request).spans.writer.pressed:
        raise _Refused(429, _EXHAUSTED, "the span store has more to write than it keeps up with")
    hold = _Hold(ingest)
    try:
        data = await _read(request, hold)
        if encoding in _MAGIC and data.startswith(_MAGIC[encoding]):  # else a server before us has inflated it
            data = await asyncio.to_thread(inflate, data, encoding, settings.ingest_inflated)
            hold.more(len(data), settings.ingest_inflated)
        yield data
    finally:
        status.waiting_bytes -= hold.held


class _Hold:
    """How much one request has in hand; counted with all others' against the bound."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest
        self.held = 0

    def more(self, size: int, beyond: int = 0) -> None:
        """Hold so many bytes more, with room ``beyond`` the bound for what is inflated already."""
        self.held += size
        self._ingest.status.waiting_bytes += size
        if self._ingest.status.waiting_bytes > self._ingest.settings.ingest_waiting + beyond:
            raise _Refused(429, _EXHAUSTED, "too many bodies are being read")


async def _read(request: web.Request, hold: _Hold) -> bytes:
    limit = request.app[INGEST].settings.ingest_body
    too_large = f"the body is larger than {limit:,} bytes (setting store.ingest_body)"
    if (request.content_length or 0) > limit:
        raise _Refused(413, _EXHAUSTED, too_large)
    chunks: list[bytes] = []
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            while chunk := await request.content.readany():
                hold.more(len(chunk))
                if hold.held > limit:
                    raise _Refused(413, _EXHAUSTED, too_large)
                chunks.append(chunk)
    except TimeoutError:
        raise _Refused(408, _TOO_SLOW, f"the body did not arrive within {READ_TIMEOUT_S:g} s") from None
    except web.RequestPayloadError as error:
        raise _Refused(400, _INVALID, f"the body is broken: {error}") from None
    return b"".join(chunks)


def _success(rejected: int, reason: str, *, json: bool, points: bool) -> web.Response:
    """An Export…ServiceResponse; with a partial success when something was rejected."""
    if json:
        count = "rejectedDataPoints" if points else "rejectedSpans"
        said = {"partialSuccess": {count: str(rejected), "errorMessage": reason}} if rejected else {}
        return web.Response(body=msgspec.json.encode(said), content_type=JSON)
    body = b"\x0a" + sized(b"\x08" + varint(rejected) + b"\x12" + sized(text(reason))) if rejected else b""
    return web.Response(body=body, content_type=PROTOBUF)


def _refusal(error: _Refused, *, json: bool) -> web.Response:
    """A google.rpc.Status, in the encoding of the request as the protocol asks."""
    headers = {"Retry-After": str(RETRY_AFTER_S)} if error.status == 429 else {}
    if json:
        body = msgspec.json.encode({"code": error.code, "message": str(error)})
        return web.Response(status=error.status, body=body, content_type=JSON, headers=headers)
    body = b"\x08" + varint(error.code) + b"\x12" + sized(text(str(error)))
    return web.Response(status=error.status, body=body, content_type=PROTOBUF, headers=headers)


_ENCODING = Header("Content-Encoding", "How the body is compressed.", {"type": "string", "enum": [*ENCODINGS]})
_TAKEN = Answer("Taken, but for what a partial success names.", media=None)

ROUTES = (
    Operation(
        method="POST",
        path="/v1/traces",
        handler=take_traces,
        name="ingestTraces",
        tag="otlp",
        scope=Scope.INGEST,
        summary="Take spans by OTLP, in protobuf or JSON",
        headers=(_ENCODING,),
        answers={200: _TAKEN},
        problems=(400, 408, 413, 415, 429),
        traced=False,  # a program that sends its own spans here would never come to an end
        media=None,
    ),
    Operation(
        method="POST",
        path="/v1/metrics",
        handler=take_metrics,
        name="ingestMetrics",
        tag="otlp",
        scope=Scope.INGEST,
        summary="Take metrics by OTLP, in protobuf or JSON",
        headers=(_ENCODING,),
        answers={200: _TAKEN},
        problems=(400, 408, 413, 415, 429),
        traced=False,
        media=None,
    ),
)
