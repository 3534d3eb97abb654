"""Which traces show a breach: those from the call on with which what is wrong most likely began.

A slice of ten seconds in which a fault begins holds healthy calls too; the median of an alert's traces would mostly be
theirs when the alert fires at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pea.telemetry.record import SpanRecord, with_leaves
from pea.watch.alert import Alert
from pea.watch.families import FAMILIES, SERVICE, Family, Sorter, marked
from pea.watch.rule import Rule
from pea.watch.signals import Quantity, signal
from pea.watch.tally import likeliest_run

LEAST = 5  # traces

Trace = Sequence[SpanRecord]


def breaching(traces: Sequence[Trace], alert: Alert, rule: Rule) -> list[Trace]:
    """The traces of the breach, by the end of the calls that the alert is about; all of them where nobody can tell."""
    judge = _judge(alert, rule)
    if judge is None:
        return list(traces)
    bad, share = judge
    family, sorter = FAMILIES[signal(rule.signal).family], Sorter()
    judged = []
    for trace in traces:
        calls = [one for one in with_leaves(trace) if sorter.of(one) is family and _concerned(one, family, alert, rule)]
        if calls:
            judged.append((max(one.end_ns for one in calls), any(map(bad, calls)), trace))
    judged.sort(key=lambda one: one[0])
    held = [int(wrong) for _, wrong, _ in judged]
    if not any(held):
        return list(traces)
    run = likeliest_run([1] * len(held), held, share, sum(held) / len(held))
    return [trace for _, _, trace in judged[-max(run, LEAST) :]]


def _judge(alert: Alert, rule: Rule) -> tuple[Callable[[SpanRecord], bool], float] | None:
    """What makes a call a bad one, and the share of them that is no breach."""
    watched = signal(rule.signal)
    bound = alert.evidence.get("bound", float(rule.above) if rule.above is not None else None)
    family = FAMILIES[watched.family]
    if watched.quantity is Quantity.MARKED:
        share = 1.0 - rule.burn.objective if rule.burn is not None else bound
        return None if share is None else (lambda one: marked(family, one, one.attributes), share)
    if rule.burn is not None and rule.burn.limit is not None:
        limit_ns = float(rule.burn.limit) * 1e9
        return (lambda one: one.duration_ns > limit_ns), 1.0 - rule.burn.objective
    if watched.quantity is Quantity.QUANTILE and bound is not None:
        bound_ns = bound * 1e9
        return (lambda one: one.duration_ns > bound_ns), 1.0 - watched.q
    return None


def _concerned(call: SpanRecord, family: Family, alert: Alert, rule: Rule) -> bool:
    """Whether the alert is about this call."""
    wanted: Mapping[str, str | tuple[str, ...]] = {**rule.where, **alert.labels}
    for label, value in wanted.items():
        found = call.origin.service if label == SERVICE else call.attributes.get(family.attribute(label))
        if str(found) not in ((value,) if isinstance(value, str) else value):
            return False
    return True
