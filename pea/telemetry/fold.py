"""Turns finished spans into series: which span counts in which metric, with which labels, is the registry's word.

A duration metric with ``folded_from`` in otel/registry takes every span of PEA's own scope whose name begins with the
same word (a leaf counts as the span that it stands for), labelled by the span's attributes. Nothing is measured twice,
so a graph and a trace cannot disagree.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import msgspec
from opentelemetry.trace import SpanKind, StatusCode

from pea.telemetry import names
from pea.telemetry.metrics import Exemplar, Labels, MetricStore
from pea.telemetry.span import Span

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
    for metric in names.METRICS.values():
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
        with self._store.lock:
            for span in batch:
                if span.tracer.scope.name != SCOPE:
                    continue
                failed = span._status.status_code is StatusCode.ERROR
                rule = self._rule(span.name) or self._by_kind.get(span.kind)
                end = span.end_time or span.start_time
                trace_id = span.trace.trace_id if span.trace.flags & 1 else 0
                if rule is not None:
                    self._count(rule, span.start_time, end, span._attributes, trace_id, span.span_id, failed=failed)
                for name, start, leaf_end, attributes in span.leaves or ():
                    rule = self._rule(name)
                    if rule is not None:
                        # What a leaf does not say of itself, its parent says: queue.wait has its task's capability.
                        both = {**span._attributes, **(attributes or {})}
                        self._count(rule, start, leaf_end, both, trace_id, span.span_id, failed=False)

    def _rule(self, name: str) -> Rule | None:
        try:
            return self._known[name]
        except KeyError:
            if len(self._known) >= _MAX_KNOWN_NAMES:
                self._known.clear()
            rule = self._known[name] = self._by_word.get(name.partition(" ")[0])
            return rule

    def _count(
        self,
        rule: Rule,
        start_ns: int,
        end_ns: int,
        attributes: Mapping[str, object],
        trace_id: int,
        span_id: int,
        *,
        failed: bool,
    ) -> None:
        values = [_hashable(attributes.get(label)) for label in rule.labels]
        if failed and rule.error >= 0 and values[rule.error] is None:
            values[rule.error] = OTHER_ERROR
        labels: Labels = tuple(values)  # type: ignore[arg-type]
        seconds = max(end_ns - start_ns, 0) * 1e-9
        exemplar = Exemplar(seconds, trace_id, span_id, end_ns) if trace_id else None
        self._store.series(rule.metric, labels).observe(seconds, exemplar)


def _hashable(value: object) -> Hashable:
    """An attribute's value as a key; a sequence or mapping, which no label should be, as text."""
    return value if isinstance(value, str | bool | int | float | None) else str(value)
