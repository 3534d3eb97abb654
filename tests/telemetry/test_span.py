"""The tracer's own surface, and how it lives with threads, tasks, processors and other libraries."""

import asyncio
import contextvars
import gc
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry import context as api_context
from opentelemetry import trace as api
from opentelemetry.propagate import extract, inject
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, sampling
from opentelemetry.sdk.trace import TracerProvider as SdkProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NonRecordingSpan, SpanKind, Status, StatusCode

from pea.errors import DeadlineExceeded
from pea.telemetry import ActiveSpan, Span, TracerProvider, UnrecordedSpan
from pea.telemetry.readable import readable


@pytest.fixture
def provider():
    return TracerProvider(resource=Resource({"service.name": "test"}), shutdown_on_exit=False)


@pytest.fixture
def tracer(provider):
    return provider.get_tracer("test", "1")


# -- with tracer.span(...) --------------------------------------------------------------------------------------------


def test_a_span_is_current_in_its_block_and_ends_with_it(provider, tracer):
    """Inside it is the current span and parent of what starts there; outside nothing is left of it."""
    with tracer.span("outer", {"k": 1}, kind=SpanKind.SERVER) as outer:
        assert api.get_current_span() is outer
        with tracer.span("inner") as inner:
            assert api.get_current_span() is inner
        assert api.get_current_span() is outer
    assert api.get_current_span() is api.INVALID_SPAN
    assert (inner.trace_id, inner.parent_id) == (outer.trace_id, outer.span_id)
    assert (outer.parent, outer.kind, dict(outer.attributes)) == (None, SpanKind.SERVER, {"k": 1})
    assert inner.parent == outer.get_span_context()
    assert provider.buffer.take() == [inner, outer]


def test_other_entries_of_the_context_stay_beside_the_span(tracer):
    """Baggage and the like are visible inside a span's block."""
    token = api_context.attach(api_context.set_value("baggage", "apples"))
    try:
        with tracer.span("a"), tracer.start_as_current_span("b"):
            assert api_context.get_value("baggage") == "apples"
    finally:
        api_context.detach(token)


@pytest.mark.parametrize(
    ("raised", "error_type"),
    [
        (ValueError("bad"), "ValueError"),
        (DeadlineExceeded("too late"), "deadline_exceeded"),
        (SdkError := type("SdkError", (Exception,), {"code": 404, "__module__": "sdk"})("x"), "sdk.SdkError"),
    ],
)
def test_an_exception_that_leaves_the_block_is_written_down(tracer, raised, error_type):
    """Status ERROR with a description, error.type (an error's own code, else its type), and an exception event."""
    with pytest.raises(type(raised)), tracer.span("work") as span:
        raise raised
    assert span.failed
    assert span.status.description == f"{type(raised).__name__}: {raised}"
    assert span.attributes["error.type"] == error_type
    (event,) = span.events
    assert event.name == "exception"
    assert event.attributes["exception.escaped"] == "True"
    assert "test_span.py" in event.attributes["exception.stacktrace"]


async def test_cancellation_is_no_failure(tracer):
    """A cancelled block says so in error.type; its status stays unset and no exception is recorded."""
    started = asyncio.Event()
    kept = []

    async def work():
        with tracer.span("work") as span:
            kept.append(span)
            started.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (span,) = kept
    assert (span.attributes["error.type"], span.failed, span.events) == ("cancelled", False, ())
    assert span.end_time is not None


def test_a_closed_generator_is_no_failure(tracer):
    """GeneratorExit ends the span without a word."""

    def numbers():
        with tracer.span("generator") as span:
            yield span

    generator = numbers()
    span = next(generator)
    generator.close()
    assert span.end_time is not None
    assert (span.failed, dict(span.attributes)) == (False, {})


def test_an_exception_that_cannot_describe_itself_is_not_hidden(tracer, caplog):
    """When __str__ fails, the exception itself still arrives, and the span is marked."""

    class Mumbling(Exception):
        def __str__(self):
            raise RuntimeError("no words")

    with pytest.raises(Mumbling), tracer.span("work") as span:
        raise Mumbling
    assert (span.failed, span.status.description) == (True, "Mumbling: it cannot say what is wrong: RuntimeError")


def test_a_block_that_ends_in_another_context_still_ends_its_span(tracer, caplog):
    """A generator closed in a foreign context cannot restore it: that is logged, and the span ends."""

    def numbers():
        with tracer.span("generator") as span:
            yield span

    generator = numbers()
    span = contextvars.copy_context().run(next, generator)
    contextvars.copy_context().run(generator.close)
    assert span.end_time is not None
    assert "Failed to detach context" in caplog.text


def test_a_span_ended_by_hand_in_its_block_is_left_alone(provider, tracer, caplog):
    """An end time given inside the block stands; leaving the block neither ends it again nor complains."""
    with tracer.span("work", start_time=5) as span:
        span.end(9)
    assert (span.start_time, span.end_time) == (5, 9)
    assert len(provider.buffer.take()) == 1
    assert not caplog.records


def test_a_finished_span_holds_neither_its_parent_nor_its_context(tracer):
    """A chain of tasks that each start the next must not keep every span of the chain alive."""
    with tracer.span("first") as first, tracer.span("second") as second:
        pass
    gone = weakref.ref(first)
    tracer.buffer.take()
    del first
    gc.collect()
    assert gone() is None
    assert second.parent_id


def test_the_end_is_never_before_the_start(tracer):
    """A clock that was set back, or a start ahead of it, gives a duration of zero rather than a negative one."""
    future = 2**62
    span = tracer.start_span("ahead", start_time=future)
    span.end()
    assert span.end_time == future
    with tracer.span("ahead", start_time=future) as active:
        pass
    assert active.end_time == future


# -- leaves -----------------------------------------------------------------------------------------------------------


def test_a_leaf_becomes_a_real_child(provider, tracer):
    """Its parent's trace, an id of its own that is the same whenever asked, given times and attributes."""
    with tracer.span("parent") as span:
        span.leaf("cache.lookup l1", 10, 20, {"hit": True})
        tracer.leaf("queue.wait", 30, 40)
    parent, lookup, wait = readable(span)
    assert [each.name for each in (parent, lookup, wait)] == ["parent", "cache.lookup l1", "queue.wait"]
    assert (lookup.start_time, lookup.end_time, dict(lookup.attributes)) == (10, 20, {"hit": True})
    assert lookup.parent == wait.parent == span.get_span_context()
    assert lookup.context.trace_id == span.trace_id
    assert len({each.context.span_id for each in (parent, lookup, wait)}) == 3
    assert readable(span)[1].context == lookup.context


def test_leaves_are_bounded_and_the_rest_is_counted(tracer):
    """A loop that records leaves for ever costs a counter, not memory."""
    with tracer.span("parent") as span:
        for index in range(tracer.limits.leaves + 5):
            span.leaf("leaf", index, index)
    assert (len(span.leaves), span.dropped_leaves) == (tracer.limits.leaves, 5)


def test_a_leaf_on_an_ended_span_is_a_span_of_its_own(provider, tracer):
    """Late news (a write behind a cache) is not lost: it becomes a child at once."""
    with tracer.span("parent") as span:
        pass
    span.leaf("late", 10, 20)
    parent, late = provider.buffer.take()
    assert (late.name, late.parent_id, late.start_time, late.end_time) == ("late", parent.span_id, 10, 20)


def test_a_leaf_without_a_span_around_it_is_a_root(provider, tracer):
    """What happens outside every trace is still seen."""
    tracer.leaf("lookup", 10, 20)
    (span,) = provider.buffer.take()
    assert (span.name, span.parent_id, span.end_time) == ("lookup", 0, 20)


def test_a_leaf_under_another_librarys_span_keeps_its_own_scope(provider, tracer):
    """Under a span of another scope the leaf is made a span, so that its scope stays right."""
    with provider.get_tracer("library").start_as_current_span("theirs") as theirs:
        tracer.leaf("lookup", 10, 20)
    ours = provider.buffer.take()[0]
    assert (ours.scope.name, ours.parent_id) == ("test", theirs.span_id)


def test_span_processors_see_leaves_as_spans():
    """With a processor, a leaf is started and ended like any other span."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("t").span("parent") as span:
        span.leaf("lookup", 10, 20, {"hit": False})
    lookup, parent = exporter.get_finished_spans()
    assert (lookup.name, lookup.start_time, lookup.parent) == ("lookup", 10, parent.context)


def test_leaves_of_an_unrecorded_span_go_nowhere():
    """What the sampler dropped has no leaves either."""
    provider = TracerProvider(sampling.ALWAYS_OFF, shutdown_on_exit=False)
    tracer = provider.get_tracer("t")
    with tracer.span("dropped") as span:
        assert isinstance(span, UnrecordedSpan)
        span.leaf("lookup", 1, 2)
        tracer.leaf("lookup", 1, 2)
        with tracer.span("child") as child:
            assert child.get_span_context().trace_id == span.get_span_context().trace_id
    assert api.get_current_span() is api.INVALID_SPAN
    assert provider.buffer.take() == []


# -- threads, tasks, decorators ---------------------------------------------------------------------------------------


async def test_tasks_inherit_the_span_in_which_they_were_created(provider, tracer):
    """Concurrent tasks nest under their creator and never under each other."""

    async def child(name):
        with tracer.span(name) as span:
            await asyncio.sleep(0)
            with tracer.span(f"{name}.inner") as inner:
                await asyncio.sleep(0)
        return span, inner

    with tracer.span("parent") as parent:
        pairs = await asyncio.gather(*(child(str(index)) for index in range(5)))
    for span, inner in pairs:
        assert (span.parent_id, inner.parent_id) == (parent.span_id, span.span_id)


async def test_to_thread_carries_the_span_along_and_a_bare_executor_does_not(tracer):
    """asyncio.to_thread copies the context; a plain executor starts from an empty one, as everywhere in Python."""
    with tracer.span("parent") as parent:
        carried = await asyncio.to_thread(api.get_current_span)
        with ThreadPoolExecutor(1) as pool:
            bare = pool.submit(api.get_current_span).result()
    assert carried is parent
    assert bare is api.INVALID_SPAN


async def test_start_as_current_span_decorates_functions_and_coroutine_functions(provider, tracer):
    """Each call has a span of its own, which ends when the function, or the coroutine, has ended."""

    @tracer.start_as_current_span("sync")
    def function(number):
        return number, api.get_current_span()

    @tracer.start_as_current_span("async")
    async def coroutine(number):
        await asyncio.sleep(0)
        assert api.get_current_span().is_recording()
        return number, api.get_current_span()

    first, second = function(1), function(2)
    third = await coroutine(3)
    assert [first[0], second[0], third[0]] == [1, 2, 3]
    assert provider.buffer.take() == [first[1], second[1], third[1]]


async def test_a_failing_decorated_coroutine_marks_its_span(provider, tracer):
    """The exception arrives, is recorded, and sets the status."""

    @tracer.start_as_current_span("async")
    async def coroutine():
        raise KeyError("gone")

    with pytest.raises(KeyError):
        await coroutine()
    (span,) = provider.buffer.take()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "KeyError: 'gone'")


# -- provider ---------------------------------------------------------------------------------------------------------


def test_code_written_for_the_sdk_recognises_ours(provider, tracer):
    """Provider and spans pass the isinstance checks that instrumentation libraries make."""
    span = tracer.start_span("s")
    assert isinstance(provider, SdkProvider)
    assert isinstance(span, api.Span)
    assert isinstance(span, ReadableSpan)
    assert provider.resource.attributes["service.name"] == "test"
    assert span.resource is provider.resource
    assert '"name": "s"' in span.to_json()


def test_spans_are_made_by_a_tracer_only():
    """As in the SDK, the constructor is closed."""
    with pytest.raises(TypeError, match="via a tracer"):
        Span()


def test_equal_scopes_share_a_tracer(provider):
    """Tracers are kept by name, version, schema and attributes."""
    assert provider.get_tracer("a", "1") is provider.get_tracer("a", "1")
    assert provider.get_tracer("a", "1") is not provider.get_tracer("a", "2")


def test_the_context_travels_by_traceparent(tracer):
    """Inject and extract of the API carry a trace to another process and back: remote parent, same trace."""
    carrier = {}
    with tracer.span("client", kind=SpanKind.CLIENT) as client:
        inject(carrier)
    assert carrier["traceparent"] == f"00-{client.trace_id:032x}-{client.span_id:016x}-03"
    with tracer.span("server", parent=extract(carrier)) as server:
        pass
    assert (server.trace_id, server.parent_id, server.parent.is_remote) == (client.trace_id, client.span_id, True)


def test_a_disabled_sdk_records_nothing(monkeypatch):
    """OTEL_SDK_DISABLED: spans are not recording, carry the parent's context on, and cost no buffer."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    provider = TracerProvider(shutdown_on_exit=False)
    tracer = provider.get_tracer("t")
    with tracer.span("a") as span, tracer.start_as_current_span("b") as inner:
        tracer.leaf("leaf", 1, 2)
        assert not span.is_recording()
        assert not inner.is_recording()
    assert not tracer.start_span("c").get_span_context().is_valid
    assert len(provider.buffer) == 0


@pytest.mark.parametrize(
    ("sampler", "argument", "recorded"),
    [
        ("always_off", "", 0),
        ("parentbased_always_off", "", 0),
        ("traceidratio", "0", 0),
        ("traceidratio", "1", 1),
        ("nonsense", "", 1),
    ],
)
def test_samplers_are_chosen_by_the_environment(monkeypatch, sampler, argument, recorded):
    """OTEL_TRACES_SAMPLER and its argument work as the specification says."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", argument)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.get_tracer("t").start_span("s").end()
    assert len(provider.buffer) == recorded


def test_limits_are_chosen_by_the_environment(monkeypatch):
    """OTEL_SPAN_* and OTEL_*_ATTRIBUTE_* limits hold, and what is dropped is counted."""
    for name, limit in {
        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "2",
        "OTEL_SPAN_EVENT_COUNT_LIMIT": "1",
        "OTEL_SPAN_LINK_COUNT_LIMIT": "1",
        "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": "1",
        "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": "0",
        "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "3",
    }.items():
        monkeypatch.setenv(name, limit)
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("t")
    with tracer.span("s", {"a": "12345", "b": 1, "c": 2}) as span:
        span.add_event("first")
        span.add_event("second", {"x": "abcdef", "y": 1})
        span.add_link(span.get_span_context(), {"x": 1})
        span.add_link(span.get_span_context(), {"y": 1})
    assert (dict(span.attributes), span.dropped_attributes) == ({"b": 1, "c": 2}, 1)
    assert ([event.name for event in span.events], span.dropped_events) == (["second"], 1)
    assert (dict(span.events[0].attributes), span.events[0].dropped_attributes) == ({"y": 1}, 1)
    assert (len(span.links), span.dropped_links, span.links[0].dropped_attributes) == (1, 1, 1)


def test_processors_can_be_added_late_and_are_flushed_and_shut_down(provider, tracer):
    """A processor sees spans from when it was added; the provider passes flush and shutdown on, to the drain too."""
    seen = []

    class Recorder(SpanProcessor):
        def on_start(self, span, parent_context=None):
            span.set_attribute("added.on.start", value=True)

        def on_end(self, span):
            seen.append(span)

        def force_flush(self, timeout_millis=30_000):
            seen.append("processor flushed")
            return True

        def shutdown(self):
            seen.append("processor shut down")

    class Drain:
        def force_flush(self, timeout_millis=30_000):
            seen.append("drain flushed")
            return False

        def shutdown(self):
            seen.append("drain shut down")

    tracer.start_span("before").end()
    provider.add_span_processor(Recorder())
    provider.drained_by(Drain())
    tracer.start_span("after").end()
    (after,) = seen
    assert type(after) is ReadableSpan
    assert (after.name, dict(after.attributes)) == ("after", {"added.on.start": True})
    assert provider.force_flush() is False
    provider.shutdown()
    assert seen[1:] == ["drain flushed", "processor flushed", "drain shut down", "processor shut down"]


def test_a_recorded_but_unsampled_parent_is_not_a_sampled_one():
    """A span that is only recorded is kept for the drain, says so, and the sampler is asked again for its children."""
    root = sampling.AlwaysRecordSampler(sampling.ALWAYS_OFF)
    provider = TracerProvider(sampling.ParentBased(root), shutdown_on_exit=False)
    tracer = provider.get_tracer("t")
    with tracer.span("root") as span, tracer.span("child") as child:
        assert span.is_recording()
        assert not child.is_recording()
    assert not span.sampled
    assert provider.buffer.take() == [span]


def test_another_providers_spans_are_parents_too(tracer):
    """Under a span of the SDK, or a remote one, ours continues that trace."""
    theirs = SdkProvider(shutdown_on_exit=False).get_tracer("sdk")
    with theirs.start_as_current_span("theirs") as parent, tracer.span("ours") as ours:
        assert (ours.parent, ours.trace_id) == (parent.get_span_context(), parent.get_span_context().trace_id)
        with theirs.start_as_current_span("theirs again") as again:
            assert again.parent.span_id == ours.span_id


def test_a_start_span_block_does_not_become_current(tracer):
    """`with tracer.start_span()` ends the span and records an exception, nothing else: the API's rule."""

    def work():
        assert api.get_current_span() is api.INVALID_SPAN
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"), tracer.start_span("s") as span:
        work()
    assert type(span) is Span
    assert span.failed
    assert span.end_time is not None
    dropped = TracerProvider(sampling.ALWAYS_OFF, shutdown_on_exit=False).get_tracer("t").start_span("s")
    assert type(dropped) is NonRecordingSpan


def test_ok_is_final_even_against_a_failing_block(tracer):
    """What the work itself has called a success stays one."""

    def work(span):
        span.set_status(Status(StatusCode.OK))
        raise ValueError("late")

    with pytest.raises(ValueError, match="late"), tracer.span("s") as span:
        work(span)
    assert type(span) is ActiveSpan
    assert span.status.status_code is StatusCode.OK


def test_own_limits_are_taken_from_the_sdks_type():
    """A SpanLimits given to the provider counts as it does in the SDK."""
    tracer = TracerProvider(span_limits=SpanLimits(max_span_attributes=1), shutdown_on_exit=False).get_tracer("t")
    with tracer.span("s", {"a": 1}) as span:
        span.set_attributes({"b": 2, "c": 3})
    assert (dict(span.attributes), span.dropped_attributes) == ({"c": 3}, 2)
