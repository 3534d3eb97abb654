"""The same generated program, run on the SDK and on PEA, exports the same OTLP but for ids and times.

``PEA_DIFFERENTIAL=10000 pytest tests/telemetry/test_span_differential.py`` runs as many programs; the default is small.
"""

import enum
import itertools
import logging
import os
import re
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import trace as api
from opentelemetry.context import Context, attach, detach
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as official
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, sampling
from opentelemetry.sdk.trace import TracerProvider as SdkProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)

from pea.telemetry import TracerProvider
from pea.telemetry.otlp_traces import encode_spans
from pea.telemetry.readable import readable

PROGRAMS = int(os.environ.get("PEA_DIFFERENTIAL", "300"))
RESOURCE = Resource({"service.name": "differential", "numbers": [1, 2]}, "https://schema.test/resource")
CLOCK = 10**18  # times above come from the clock; programs give smaller ones


# -- what a program may contain ---------------------------------------------------------------------------------------


class Colour(enum.IntEnum):
    RED = 1


class Mute:
    """Has neither __str__ nor __repr__ of its own: the SDK drops it."""


class Loud:
    def __str__(self) -> str:
        return "loud"


class Text(str):
    __slots__ = ()


class Stop(BaseException):
    """Not an Exception: not an error to `use_span`, but one to a span's own with-block."""


LONG = "x" * 300
scalars = st.one_of(
    st.text(max_size=12),
    st.integers(-(1 << 66), 1 << 66),
    st.integers(-3, 300),
    st.booleans(),
    st.floats(),
    st.none(),
    st.binary(max_size=8),
    st.sampled_from(["", "é漢😀", LONG, "\ud800", Colour.RED, Text("sub"), 2**63, -(2**63), -0.0, 0.0, 1, True, 1.0]),
)
odd = st.sampled_from([Mute(), Loud(), {1, 2}, range(3), bytearray(b"ab"), 1j, object, ("a", Mute()), {"": 1, 2: "b"}])
values = st.one_of(
    scalars,
    scalars,
    st.lists(scalars, max_size=4),
    st.tuples(scalars, scalars),
    odd,
    st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
        max_leaves=5,
    ),
)
keys = st.sampled_from(
    ["a", "b", "c", "d", "error.type", "", "e" * 300, "\udfff", Text("a"), 1, None, b"k", (), Mute(), Loud()]
)
good_keys = st.sampled_from(["a", "b", "c", "d", "e", "f"])
attribute_maps = st.one_of(
    st.none(),
    st.dictionaries(good_keys, scalars, max_size=6),
    st.dictionaries(keys, values, max_size=5),
    st.dictionaries(st.text(max_size=4), values, max_size=7),
)
names = st.sampled_from(["work", "", "record-only", "drop", "é漢", LONG])
times = st.one_of(st.none(), st.none(), st.integers(0, 10**9))
states = st.sampled_from([None, TraceState(), TraceState([("k", "v"), ("x", "y")])])
contexts = st.builds(
    SpanContext,
    st.sampled_from([1, 7 << 64, (1 << 128) - 1, 0]),
    st.sampled_from([1, 2, (1 << 64) - 1, 0]),
    st.booleans(),
    st.sampled_from([1, 0, 3, 2, 0xFF]).map(TraceFlags),
    states,
)
descriptions = st.sampled_from([None, "", "broken", LONG, 5])
codes = st.sampled_from(list(StatusCode))
exceptions = st.sampled_from(
    [(ValueError, "bad"), (KeyError, "k"), (RuntimeError,), (Stop, "now"), (UnicodeError, LONG)]
)  # made anew for each run


class Op(NamedTuple):
    """One step: what is called, on which of the spans made so far, with which arguments, around which steps."""

    do: str
    on: int = 0
    args: tuple[Any, ...] = ()
    body: tuple["Op", ...] = ()


links = st.lists(st.tuples(contexts, attribute_maps), max_size=3)
kinds = st.sampled_from(list(SpanKind))
starts = st.tuples(st.integers(0, 3), names, kinds, attribute_maps, links, times, st.booleans(), st.booleans())

STEPS = {
    "set_attribute": st.tuples(keys, values) | st.tuples(good_keys, scalars),
    "set_attributes": st.tuples(attribute_maps.filter(lambda given: given is not None)),
    "add_event": st.tuples(names, attribute_maps, times),
    "add_link": st.tuples(contexts, attribute_maps),
    "update_name": st.tuples(names),
    "set_status": st.one_of(
        st.tuples(codes, descriptions),
        st.tuples(st.builds(Status, codes, descriptions), descriptions),
        st.tuples(st.sampled_from(["OK", None, 2])),
    ),
    "record_exception": st.tuples(exceptions, attribute_maps, times, st.booleans()),
    "end": st.tuples(times),
    "start": starts,
    "start_under": starts,
    "start_root": starts,
    "raise": st.tuples(exceptions),
}
BLOCKS = {
    "current": st.tuples(starts, st.sampled_from([True, True, False])),
    "decorated": st.tuples(starts),
    "with": st.tuples(starts),
    "active": st.tuples(starts),
    "use": st.tuples(st.booleans(), st.booleans(), st.booleans()),
    "remote": st.tuples(contexts),
    "root": st.just(()),
    "catch": st.just(()),
}


FLAT_STEP = st.sampled_from([*STEPS, "start", "set_status", "set_status", "raise"])
ANY_STEP = st.sampled_from([*STEPS, *BLOCKS, *BLOCKS, "current", "remote", "start"])


@st.composite
def programs(draw, depth: int = 2) -> tuple[Op, ...]:
    """A few steps in a row; a block has steps of its own inside."""
    body = []
    for _ in range(draw(st.integers(1, 6))):
        do = draw(ANY_STEP if depth else FLAT_STEP)
        on = draw(st.sampled_from([-1, -1, 0, 1, 2]))  # mostly the span made last
        if do in BLOCKS:
            body.append(Op(do, on, draw(BLOCKS[do]), draw(programs(depth - 1))))
        else:
            body.append(Op(do, on, draw(STEPS[do])))
    return tuple(body)


class Colouring(sampling.Sampler):
    """Adds attributes and trace state, and decides by the span's name."""

    def should_sample(self, parent_context, trace_id, name, kind=None, attributes=None, links=None, trace_state=None):
        decision = sampling.Decision.RECORD_AND_SAMPLE
        if name == "record-only":
            decision = sampling.Decision.RECORD_ONLY
        if name == "drop":
            decision = sampling.Decision.DROP
        return sampling.SamplingResult(
            decision, {**(attributes or {}), "sampled.by": "colour"}, TraceState([("c", "1")])
        )

    def get_description(self) -> str:
        return "Colouring"


class CountedIds(IdGenerator):
    """The same ids in every run, spread over the whole range, so that ratio samplers decide alike."""

    def __init__(self) -> None:
        self._count = itertools.count(1)

    def generate_span_id(self) -> int:
        return next(self._count)

    def generate_trace_id(self) -> int:
        return next(self._count) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 128)


samplers = st.sampled_from(
    [
        *[None] * 10,
        sampling.ALWAYS_ON,
        sampling.ALWAYS_OFF,
        sampling.DEFAULT_OFF,
        sampling.ParentBasedTraceIdRatio(0.5),
        sampling.TraceIdRatioBased(0.5),
        sampling.AlwaysRecordSampler(sampling.ParentBasedTraceIdRatio(0.5)),
        Colouring(),
        sampling.ParentBased(Colouring()),
        sampling.ParentBased(Colouring(), local_parent_sampled=Colouring(), remote_parent_not_sampled=Colouring()),
    ]
)
counts = st.one_of(st.none(), st.none(), st.integers(0, 4))
limits = st.one_of(
    st.just({}),
    st.fixed_dictionaries(
        {},
        optional={
            "max_attributes": counts,
            "max_span_attributes": counts,
            "max_event_attributes": counts,
            "max_link_attributes": counts,
            "max_events": counts,
            "max_links": counts,
            "max_attribute_length": counts,
            "max_span_attribute_length": counts,
        },
    ),
)


# -- running it -------------------------------------------------------------------------------------------------------


class Keeper(SpanProcessor):
    """Writes into each span as it starts, and keeps what the SDK would export."""

    def __init__(self, *, writes: bool) -> None:
        self.ended = []
        self._writes = writes

    def on_start(self, span, parent_context=None) -> None:
        if self._writes:
            span.set_attribute("seen", [span.name, str(span.kind), span.parent is None, len(span.links)])

    def on_end(self, span) -> None:
        self.ended.append(span)


class Run:
    """One run of a program on one provider: what was logged and what could be observed on the way."""

    def __init__(self, provider: api.TracerProvider) -> None:
        self.tracers = [
            provider.get_tracer("alpha", "1.0", "https://schema.test/alpha", {"scope": "a", "n": 1}),
            provider.get_tracer("beta"),
            provider.get_tracer("alpha", "2.0"),
            provider.get_tracer("beta"),
        ]
        self.spans = []
        self.seen = []

    def started(self, args):
        tracer, name, kind, attributes, links, time, record, mark = args
        given = {
            "kind": kind,
            "attributes": attributes,
            "links": [Link(context, about) for context, about in links],
            "start_time": time,
            "record_exception": record,
            "set_status_on_exception": mark,
        }
        return self.tracers[tracer], name, given

    def steps(self, body) -> None:
        for op in body:
            getattr(self, f"do_{op.do}", self.call)(op)

    def observe(self, span) -> None:
        context = span.get_span_context()
        seen = [
            span.is_recording(),
            int(context.trace_flags),
            dict(context.trace_state),
            context.is_remote,
            context.is_valid,
        ]
        if hasattr(span, "attributes"):
            status = span.status
            seen += [span.name, span.kind, repr(dict(span.attributes)), span.dropped_attributes, span.dropped_events]
            seen += [
                span.dropped_links,
                status.status_code,
                status.description,
                span.parent is None,
                span.end_time is None,
            ]
            seen += [
                (event.name, repr(dict(event.attributes)), event.dropped_attributes) for event in plain(span.events)
            ]
            seen += [(int(link.context.trace_flags), repr(dict(link.attributes))) for link in span.links]
        self.seen.append(seen)

    def call(self, op) -> None:
        if not self.spans:
            return
        span = self.spans[op.on % len(self.spans)]
        try:
            getattr(span, op.do)(*op.args)
        except (TypeError, AttributeError, ValueError) as error:
            self.seen.append(type(error))
        self.observe(span)

    def do_start(self, op) -> None:
        tracer, name, given = self.started(op.args)
        self.keep(tracer.start_span(name, **given))

    def do_start_under(self, op) -> None:
        tracer, name, given = self.started(op.args)
        context = api.set_span_in_context(self.spans[op.on % len(self.spans)]) if self.spans else None
        self.keep(tracer.start_span(name, context, **given))

    def do_start_root(self, op) -> None:
        tracer, name, given = self.started(op.args)
        self.keep(tracer.start_span(name, Context(), **given))

    def keep(self, span) -> None:
        self.spans.append(span)
        self.observe(span)

    def do_record_exception(self, op) -> None:
        kind, *args = op.args[0]
        self.call(op._replace(args=(kind(*args), *op.args[1:])))

    def do_raise(self, op) -> None:
        kind, *args = op.args[0]
        raise kind(*args)

    def do_catch(self, op) -> None:
        try:
            self.steps(op.body)
        except (Exception, Stop) as error:
            self.seen.append(type(error))

    def do_current(self, op) -> None:
        tracer, name, given = self.started(op.args[0])
        with tracer.start_as_current_span(name, end_on_exit=op.args[1], **given) as span:
            self.inside(span, op)

    def do_decorated(self, op) -> None:
        tracer, name, given = self.started(op.args[0])

        @tracer.start_as_current_span(name, **given)
        def function() -> str:
            self.inside(api.get_current_span(), op)
            return "done"

        self.seen.append(function())

    def do_with(self, op) -> None:
        tracer, name, given = self.started(op.args[0])
        with tracer.start_span(name, **given) as span:
            self.inside(span, op, current=False)

    def do_active(self, op) -> None:
        tracer, name, given = self.started(op.args[0])
        if isinstance(tracer, api.NoOpTracer) or not hasattr(tracer, "leaf"):
            opened = tracer.start_as_current_span(name, end_on_exit=False, **given)
        else:
            del given["record_exception"], given["set_status_on_exception"]
            opened = tracer.span(name, **given)
        with opened as span:
            self.inside(span, op._replace(body=(Op("catch", body=op.body),)))
            if span.is_recording():
                span.end()

    def inside(self, span, op, *, current: bool = True) -> None:
        if current:
            assert api.get_current_span() is span
        self.keep(span)
        self.steps(op.body)

    def do_use(self, op) -> None:
        if self.spans:
            with api.use_span(self.spans[op.on % len(self.spans)], *op.args):
                self.steps(op.body)

    def do_remote(self, op) -> None:
        with attached(api.set_span_in_context(NonRecordingSpan(op.args[0]))):
            self.steps(op.body)

    def do_root(self, op) -> None:
        with attached(Context()):
            self.steps(op.body)


@contextmanager
def attached(context):
    token = attach(context)
    try:
        yield
    finally:
        detach(token)


_OWN_FRAMES = re.compile(
    r'  File "[^"]*(?:/opentelemetry/|/contextlib\.py|/pea/telemetry/)[^"]*", line \d+, in .*\n(?:    .*\n)*',
    re.MULTILINE,
)


def without_frames(text: str) -> str:
    """A stack trace without the tracer's own frames: PEA has fewer of them."""
    return _OWN_FRAMES.sub("", text)


def plain(events):
    for event in events:
        yield event._replace() if hasattr(event, "_replace") else Shown(event)


class Shown:
    """An event whose stack trace is comparable."""

    def __init__(self, event) -> None:
        self.name = event.name
        self.dropped_attributes = event.dropped_attributes
        self.attributes = {
            key: without_frames(value) if key == "exception.stacktrace" else value
            for key, value in event.attributes.items()
        }


class Log(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines = []

    def emit(self, record) -> None:
        # Why a key cannot be encoded is told by protobuf in its own words.
        self.lines.append(record.getMessage() if "Failed to encode key" not in record.msg else repr(record.args[:1]))


@contextmanager
def logged():
    handler = Log()
    loggers = [logging.getLogger("opentelemetry"), logging.getLogger("pea.telemetry")]
    before = [logger.propagate for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.propagate = False
    try:
        yield handler.lines
    finally:
        for logger, propagate in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.propagate = propagate


def execute(provider, program):
    run = Run(provider)
    with attached(Context()):
        run.do_catch(Op("catch", body=program))
        for span in run.spans:
            if span.is_recording():
                span.end()
    return run


def normalised(data: bytes) -> str:
    """The request with ids numbered in order of appearance, clock times as 1, and no frames of the tracer itself."""
    request = ExportTraceServiceRequest.FromString(data)
    numbers = {}

    def number(identity: bytes) -> bytes:
        return b"%d" % numbers.setdefault(identity, len(numbers)) if identity else b""

    def time(value: int) -> int:
        return 1 if value > CLOCK else value

    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                span.trace_id, span.span_id = number(span.trace_id), number(span.span_id)
                span.parent_span_id = number(span.parent_span_id)
                span.start_time_unix_nano = time(span.start_time_unix_nano)
                span.end_time_unix_nano = time(span.end_time_unix_nano)
                for event in span.events:
                    event.time_unix_nano = time(event.time_unix_nano)
                    for attribute in event.attributes:
                        if attribute.key == "exception.stacktrace":
                            attribute.value.string_value = without_frames(attribute.value.string_value)
    return str(request)


def difference(ours, expected):
    """The first place where two lists differ (pytest's own comparison of long ones takes minutes)."""
    for index, (one, other) in enumerate(itertools.zip_longest(ours, expected)):
        if one != other:
            return index, str(one)[:2000], str(other)[:2000]
    return None


@pytest.mark.filterwarnings("ignore:You should use InstrumentationScope:DeprecationWarning")
@settings(
    max_examples=PROGRAMS,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    print_blob=True,
)
@given(
    program=programs(),
    sampler=samplers,
    limits=limits,
    watched=st.sampled_from(["no", "no", "reads", "writes"]),
    counted=st.booleans(),
)
def test_pea_exports_what_the_sdk_exports(program, sampler, limits, watched, counted):
    """A program's spans, warnings and observable states are the SDK's, with and without span processors."""
    by_ratio = sampler is not None and "Ratio" in sampler.get_description()
    ids = CountedIds if counted or by_ratio else RandomIdGenerator
    peer = SdkProvider(sampler, RESOURCE, shutdown_on_exit=False, id_generator=ids(), span_limits=SpanLimits(**limits))
    keeper = Keeper(writes=watched == "writes")
    peer.add_span_processor(keeper)
    ours = TracerProvider(
        sampler,
        RESOURCE,
        shutdown_on_exit=False,
        id_generator=ids() if ids is CountedIds else None,
        span_limits=SpanLimits(**limits),
    )
    shown = Keeper(writes=watched == "writes")
    if watched != "no":
        ours.add_span_processor(shown)

    with logged() as expected_log:
        expected = execute(peer, program)
        expected_data = official(keeper.ended).SerializeToString()
    with logged() as log:
        run = execute(ours, program)
        ended = ours.buffer.take()
        data = encode_spans(ended, ours.resource)

    assert difference(log, expected_log) is None
    assert difference(run.seen, expected.seen) is None
    assert difference(normalised(data).splitlines(), normalised(expected_data).splitlines()) is None
    with logged():
        assert data == official([each for span in ended for each in readable(span)]).SerializeToString()
        if watched != "no":
            assert data == official(shown.ended).SerializeToString()
