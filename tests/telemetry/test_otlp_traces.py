"""The direct OTLP encoder writes the official encoder's bytes, and survives what that one does not."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common._internal import _encode_attributes
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as official
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as ResourceMessage
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, TraceState, set_span_in_context

from pea.telemetry import TracerProvider, wire
from pea.telemetry.leaf import leaf_id
from pea.telemetry.otlp_traces import Encoder, encode_spans
from pea.telemetry.readable import readable


@pytest.fixture
def provider():
    return TracerProvider(resource=Resource({"service.name": "test", "list": (1, 2)}), shutdown_on_exit=False)


def spans_of(data: bytes) -> list:
    request = ExportTraceServiceRequest.FromString(data)
    return [span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans]


scalars = st.one_of(
    st.text(max_size=200),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.integers(-2, 130),
    st.booleans(),
    st.floats(),
    st.none(),
    st.binary(max_size=200),
    st.sampled_from([0, False, 0.0, -0.0, 1, True, 1.0, "", "x" * 127, "x" * 128, "x" * 17_000, b"\x00" * 16_384]),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["a", "b"]) | st.text(max_size=5), values, max_size=5))
def test_attributes_are_the_official_encoders_bytes(attributes):
    """Any clean value of any type, also when equal ones of other types (1, True, 1.0) have been remembered."""
    expected = ResourceMessage(attributes=_encode_attributes(attributes)).SerializeToString()
    assert wire.attributes(b"\x0a", attributes) == expected
    assert wire.attributes(b"\x0a", attributes) == expected


leaves = st.tuples(
    st.sampled_from(["cache.lookup l1", "queue.wait", "é"]),
    st.integers(0, 2**62),
    st.integers(0, 2**62),
    st.none()
    | st.dictionaries(st.sampled_from(["a", "b", "", 1]), scalars | st.lists(scalars, max_size=2), max_size=4),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(leaves, max_size=5), st.booleans(), st.sampled_from([None, TraceState([("k", "v")])]))
def test_leaves_are_encoded_as_the_children_that_they_stand_for(given_leaves, remote, state):
    """Bytes equal the official encoder's for the same children, under local and remote parents, with a trace state."""
    provider = TracerProvider(resource=Resource({}), shutdown_on_exit=False)
    parent = SpanContext(7, 9, remote, TraceFlags(1), state)
    tracer = provider.get_tracer("t", "1", "https://schema.test", {"a": 1})
    with tracer.span("parent", parent=set_span_in_context(NonRecordingSpan(parent))) as span:
        for leaf in given_leaves:
            span.leaf(*leaf)
    children = [each for span in provider.buffer.take() for each in readable(span)]
    encoder = Encoder(provider.resource)
    encoder.add(span)
    data = encoder.finish()
    assert data == official(children).SerializeToString()
    assert encoder.count == len(given_leaves) + 1
    assert 0 <= len(data) - encoder.size < 100  # what is beside the spans


def test_spans_are_grouped_by_scope_in_order_of_appearance(provider):
    """As the official encoder groups them, whatever order the spans come in."""
    tracers = [provider.get_tracer(name, version) for name, version in (("b", "1"), ("a", None), ("b", "2"))]
    for index in range(9):
        with tracers[index % 3].span(f"s{index}", kind=SpanKind(index % 5)):
            pass
    spans = provider.buffer.take()
    assert (
        encode_spans(spans, provider.resource)
        == official([each for s in spans for each in readable(s)]).SerializeToString()
    )


def test_nothing_is_an_empty_request(provider):
    """No spans, no bytes."""
    assert encode_spans([], provider.resource) == official([]).SerializeToString() == b""


@pytest.mark.parametrize("name", [5, None, "\ud800", b"x"])
@pytest.mark.parametrize("time", [-5, 2**70, 1.5, 0])
def test_one_odd_span_does_not_spoil_the_batch(provider, name, time):
    """Names and times that make the official encoder raise are written as near as the format allows."""
    tracer = provider.get_tracer("t")
    with tracer.span("good"):
        tracer.start_span(name, start_time=time).end(time)
        tracer.leaf(name, time, time)
    spans = spans_of(encode_spans(provider.buffer.take(), provider.resource))
    assert [span.name for span in spans][1] == "good"
    assert len(spans) == 3


def test_an_attribute_that_cannot_be_encoded_is_named_and_left_out(provider, caplog):
    """Lone surrogates and integers beyond 64 bits lose their own attribute only."""
    with provider.get_tracer("t").span("s", {"ok": 1, "huge": 2**64, "text": "\ud800", "list": ["\ud800"]}):
        pass
    (span,) = spans_of(encode_spans(provider.buffer.take(), provider.resource))
    assert [attribute.key for attribute in span.attributes] == ["ok"]
    assert [record.args[0] for record in caplog.records] == ["huge", "text", "list"]


def test_attributes_written_while_the_drain_reads_do_not_break_it(provider):
    """A thread that goes on writing into an ended span's dictionary costs nobody a batch."""
    stop = threading.Event()
    own = {str(index): index for index in range(50)}

    def write():
        while not stop.is_set():
            own["new"] = 1
            own.pop("new", None)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(300):
            assert wire.attributes(b"\x4a", own)
    finally:
        stop.set()
        writer.join()


def test_what_is_remembered_is_bounded():
    """Keys and values without end do not fill the memory."""
    for index in range(2_000):
        wire.attributes(
            b"\x4a",
            {
                f"bounded.key.{index}": "v",
                "bounded.values": f"value {index}",
                "n": index,
                "long": "x" * 500 + str(index),
            },
        )
    for keys in wire._remembered.values():
        assert len(keys) <= wire.MAX_KEYS
        assert all(len(values) <= wire.MAX_VALUES_PER_KEY for values in keys.values())
        assert all(len(data) <= wire.MAX_REMEMBERED_BYTES for values in keys.values() for data in values.values())


@given(st.integers(1, (1 << 64) - 1), st.integers(1, 2_000))
def test_leaves_of_a_span_have_ids_of_their_own(parent, count):
    """Never zero, never the parent's, no two alike."""
    ids = {leaf_id(parent, index) for index in range(count)}
    assert len(ids) == count
    assert not ids & {0, parent}
