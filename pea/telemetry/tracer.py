"""Starts spans: the usual ones by a short way, all others exactly as the SDK does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import time_ns
from types import MappingProxyType

from opentelemetry import trace as api
from opentelemetry.sdk.trace import Tracer as SdkTracer
from opentelemetry.sdk.trace import _TracerConfig
from opentelemetry.sdk.trace._tracer_metrics import NoOpTracerMetrics
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, AlwaysRecordSampler, Decision, ParentBased, Sampler
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, TraceFlags
from opentelemetry.util.types import AnyValue, Attributes

from pea.telemetry.active import ActiveSpan, UnrecordedSpan
from pea.telemetry.buffer import Buffer
from pea.telemetry.context import SPAN_KEY, Context, current
from pea.telemetry.current import CurrentSpan
from pea.telemetry.extra import CarriedTrace, Extra, Trace, worth_linking
from pea.telemetry.ids import RandomIds, bits
from pea.telemetry.limits import Limits, bounded, plain_copy
from pea.telemetry.readable import snapshot
from pea.telemetry.span import UNSET, Span

_INTERNAL = SpanKind.INTERNAL
_FLAGS = tuple(TraceFlags(bits_) for bits_ in range(4))
_new = object.__new__


def _always_samples(sampler: Sampler) -> tuple[bool, bool]:
    """Whether the sampler says yes to every root, and to every child of a sampled local span."""
    if isinstance(sampler, AlwaysRecordSampler):
        sampler = sampler._root  # it changes nothing about what is sampled
    if sampler is ALWAYS_ON:
        return True, True
    if isinstance(sampler, ParentBased) and type(sampler).should_sample is ParentBased.should_sample:
        return sampler._root is ALWAYS_ON, sampler._local_parent_sampled is ALWAYS_ON
    return False, False


class Tracer(SdkTracer):
    """An OpenTelemetry tracer for one instrumentation scope, with `span` and `leaf` for PEA's own runtime."""

    __slots__ = ("_children_at_once", "_roots_at_once", "buffer", "limits", "scope")

    def __init__(self, like: SdkTracer, buffer: Buffer, limits: Limits) -> None:
        """``like`` is the tracer that the SDK has made for this scope: its settings are taken over."""
        super().__init__(
            like.sampler,
            like.resource,
            like.span_processor,
            like.id_generator,
            like.instrumentation_info,
            like._span_limits,
            like._instrumentation_scope,
            _tracer_config=like._tracer_config,
        )
        self._tracer_metrics = like._tracer_metrics
        self.buffer = buffer
        self.limits = limits
        self.scope = like._instrumentation_scope
        self._settle()

    def _set_tracer_config(self, tracer_config: _TracerConfig) -> None:
        super()._set_tracer_config(tracer_config)
        self._settle()

    def _settle(self) -> None:
        """Find out once which spans need neither sampler, nor id generator, nor metrics to be asked."""
        plain = (
            self._is_enabled()
            and isinstance(self.id_generator, RandomIds)
            and isinstance(self._tracer_metrics, NoOpTracerMetrics)
        )
        roots, children = _always_samples(self.sampler)
        self._roots_at_once = plain and roots
        self._children_at_once = plain and children

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = _INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = (),
        start_time: int | None = None,
        record_exception: bool = True,  # noqa: FBT001, FBT002  the API's signature
        set_status_on_exception: bool = True,  # noqa: FBT001, FBT002
    ) -> api.Span:
        """A span that is not current yet; see `opentelemetry.trace.Tracer.start_span`."""
        span: Span | UnrecordedSpan = self.span(name, attributes, context, kind, links, start_time, Span)
        if isinstance(span, UnrecordedSpan):
            return NonRecordingSpan(span.get_span_context())
        span._on_exception = (record_exception, set_status_on_exception)
        return span

    def start_as_current_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = _INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = (),
        start_time: int | None = None,
        record_exception: bool = True,  # noqa: FBT001, FBT002  the API's signature
        set_status_on_exception: bool = True,  # noqa: FBT001, FBT002
        end_on_exit: bool = True,  # noqa: FBT001, FBT002
    ) -> CurrentSpan:
        """A context manager, and decorator of functions and coroutine functions, that starts a span when entered."""
        entry = _new(CurrentSpan)
        entry._tracer = self
        entry._arguments = (name, attributes, context, kind, links, start_time, Span)
        entry._ways = (record_exception, set_status_on_exception, end_on_exit)
        return entry

    def span(
        self,
        name: str,
        attributes: Attributes = None,
        parent: Context | None = None,
        kind: SpanKind = _INTERNAL,
        links: Sequence[Link] | None = (),
        start_time: int | None = None,
        cls: type[Span] = ActiveSpan,
    ) -> ActiveSpan | UnrecordedSpan:
        """A span that starts now, is current in its with-block, and ends with it.

        The parent is the current span, or that of the context ``parent``; ``start_time`` in ns since the epoch. ``cls``
        is for `start_span`: this is the one place where spans are made, without a call more than needed.
        """
        above = (current() if parent is None else parent).get(SPAN_KEY)
        family = type(above)
        elsewhere: SpanContext | None = None
        if (family is ActiveSpan or family is Span) and self._children_at_once and above.trace.sampled:  # type: ignore[attr-defined]
            trace: Trace = above.trace  # type: ignore[attr-defined]
            parent_id: int = above.span_id  # type: ignore[attr-defined]
            span_id = bits(64) or 1
        elif above is None and self._roots_at_once:
            trace = _new(Trace)
            trace.trace_id = bits(128) or 1
            parent_id = 0
            span_id = bits(64) or 1
        else:
            decided = self._decide(name, parent, kind, attributes, links)
            if isinstance(decided, UnrecordedSpan):
                return decided
            trace, span_id, elsewhere, attributes = decided
            parent_id = 0 if elsewhere is None else elsewhere.span_id

        span: ActiveSpan = _new(cls)  # type: ignore[assignment]
        span.tracer = self
        span.trace = trace
        span.span_id = span_id
        span.parent_id = parent_id
        span.name = name
        span.kind = kind
        span.end_time = span.leaves = span.extra = span._context = None
        span._status = UNSET
        if attributes:
            limits = self.limits
            copy = plain_copy(attributes, limits.attributes, limits.attribute_length)
            span._attributes = self._clean(span, attributes) if copy is None else copy
        else:
            span._attributes = {}
        if elsewhere is not None:
            span.more().parent = elsewhere
        if links:
            self._link(span, links)
        span.start_time = time_ns() if start_time is None else start_time
        if self.span_processor._span_processors:
            self.span_processor.on_start(span, parent)  # type: ignore[arg-type]
        return span

    def leaf(self, name: str, start_ns: int, end_ns: int, attributes: Mapping[str, AnyValue] | None = None) -> None:
        """Record a leaf on the current span; times in ns since the epoch, ``attributes`` are kept: do not change them.

        Where the current span is not one of this tracer's (none, a remote parent, another library's), a span is made.
        """
        above = current().get(SPAN_KEY)
        if isinstance(above, Span) and above.tracer is self:
            above.leaf(name, start_ns, end_ns, attributes)
        elif not isinstance(above, UnrecordedSpan):
            self.start_span(name, attributes=attributes, start_time=start_ns).end(end_ns)

    def show(self, span: Span) -> None:
        """Show the span processors a span that has just ended."""
        self.span_processor._on_ending(span)  # type: ignore[arg-type]
        self.span_processor.on_end(snapshot(span))

    def _clean(self, span: Span, given: Mapping[str, AnyValue]) -> dict[str, AnyValue]:
        limits = self.limits
        attributes, dropped = bounded(MappingProxyType(given), limits.attributes, limits.attribute_length)
        if dropped:
            span.more().dropped_attributes = dropped
        return attributes

    def _link(self, span: Span, links: Sequence[Link | None]) -> None:
        limits = self.limits
        extra: Extra = span.more()
        for link in links:
            if link is not None and worth_linking(link.context, link.attributes):
                most, longest = limits.link_attributes, limits.event_and_link_attribute_length
                extra.add_link((link.context, *bounded(link.attributes, most, longest)))

    def _decide(
        self,
        name: str,
        context: Context | None,
        kind: SpanKind,
        attributes: Attributes,
        links: Sequence[Link] | None,
    ) -> UnrecordedSpan | tuple[Trace, int, SpanContext | None, Attributes]:
        """Ask the sampler and the id generator, as the SDK's `start_span` does.

        Gives the span if it is not to be recorded, else trace, span id, parent and attributes of the one to make.
        """
        parent: SpanContext | None = api.get_current_span(context).get_span_context()
        if parent is not None and not isinstance(parent, SpanContext):
            raise TypeError("parent_span_context must be a SpanContext or None.")
        if not self._is_enabled():
            return UnrecordedSpan(parent or api.INVALID_SPAN_CONTEXT)
        ids = self.id_generator
        if parent is None or not parent.is_valid:
            parent = None
            trace_id, random = ids.generate_trace_id(), ids.is_trace_id_random()
        else:
            trace_id, random = parent.trace_id, parent.trace_flags.random_trace_id
        result = self.sampler.should_sample(context, trace_id, name, kind, attributes, links or ())
        flags = _FLAGS[(result.decision is Decision.RECORD_AND_SAMPLE) + 2 * random]
        span_id = ids.generate_span_id()
        self._tracer_metrics.start_span(parent, result.decision)
        if result.decision is Decision.DROP:
            return UnrecordedSpan(SpanContext(trace_id, span_id, False, flags, result.trace_state))
        return CarriedTrace(trace_id, flags, result.trace_state), span_id, parent, result.attributes
