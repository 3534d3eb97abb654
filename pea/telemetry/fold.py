"""Turns finished spans into series: which span counts in which metric, with which labels, is the registry's word.

A duration metric with ``folded_from`` in otel/registry takes every span of PEA's own scope whose name begins with the
same word (a leaf counts as the span that it stands for), labelled by the span's attributes. Nothing is measured twice,
so a graph and a trace cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from opentelemetry.trace import SpanKind, Status

from pea.telemetry import names
from pea.telemetry.instruments import METRICS
from pea.telemetry.metrics import MetricStore
from pea.telemetry.series import Labels
from pea.telemetry.span import UNSET, Span

SCOPE = "pea"
OTHER_ERROR = "_OTHER"  # what the conventions call an error without a type
_MAX_KNOWN_NAMES = 4096
_KINDS = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT}


class Rule(msgspec.Struct, frozen=True):
    """One metric and the attributes that become its labels; ``error`` is the place of error.type among them, or -1."""

    metric: str
    labels: tuple[str, ...]
    error: int


def rules() -> tuple[dict[str, Rule], dict[SpanKind, Rule]]:
    """The registry's rules: by a span name's first word, and by kind for spans named after what they serve."""
    by_word: dict[str, Rule] = {}
    by_kind: dict[SpanKind, Rule] = {}
    for metric in METRICS.values():
        place = metric.labels.index(names.ERROR_TYPE) if names.ERROR_TYPE in metric.labels else -1
        rule = Rule(metric.name, metric.labels, place)
        if metric.span:
            by_word[metric.span] = rule
        elif metric.span_kind:
            by_kind[_KINDS[metric.span_kind]] = rule
    return by_word, by_kind


class Fold:
    """A span consumer that counts spans and leaves of PEA's own scope in a `MetricStore`."""

    def __init__(self, store: MetricStore) -> None:
        self._store = store
        self._by_word, self._by_kind = rules()
        self._known: dict[str, Rule | None] = {}

    def consume(self, batch: Sequence[Span]) -> None:
        """Count each span once."""
        known, by_kind = self._known, self._by_kind
        with self._store.lock:
            for span in batch:
                if span.tracer.scope.name != SCOPE:
                    continue
                name = span.name
                rule = (known[name] if name in known else self._learn(name)) or by_kind.get(span.kind)
                if rule is not None:
                    end = span.end_time or span.start_time
                    self._count(rule, span, span._attributes, span.start_time, end, span._status)
                if span.leaves:
                    for name, start, end, attributes in span.leaves:
                        rule = known[name] if name in known else self._learn(name)
                        if rule is not None:
                            # What a leaf does not say of itself, its parent says: queue.wait has its task's capability.
                            both = {**span._attributes, **attributes} if attributes else span._attributes
                            self._count(rule, span, both, start, end, UNSET)

    def _learn(self, name: str) -> Rule | None:
        if len(self._known) >= _MAX_KNOWN_NAMES:
            self._known.clear()
        rule = self._known[name] = self._by_word.get(name.partition(" ")[0])
        return rule

    def _count(
        self,
        rule: Rule,
        span: Span,
        attributes: Mapping[str, object],
        start_ns: int,
        end_ns: int,
        status: Status,
    ) -> None:
        labels: Labels = tuple(map(attributes.get, rule.labels))  # type: ignore[arg-type]
        if status is not UNSET and rule.error >= 0 and labels[rule.error] is None and not status.is_ok:
            labels = (*labels[: rule.error], OTHER_ERROR, *labels[rule.error + 1 :])
        try:
            series = self._store.series(rule.metric, labels)
        except TypeError:  # a sequence or a mapping, which no label should be
            series = self._store.series(rule.metric, tuple(None if v is None else str(v) for v in labels))
        seconds = (end_ns - start_ns) * 1e-9 if end_ns > start_ns else 0.0
        trace = span.trace
        series.observe(seconds, (seconds, trace.trace_id, span.span_id, end_ns) if trace.flags & 1 else None)
