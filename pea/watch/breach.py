"""Which traces show a breach, and which of those before it are a past to hold it against.

A slice of ten seconds in which a fault begins holds healthy calls too; the median of an alert's traces would mostly be
theirs when the alert fires at once. And what was as wrong before, because the alert took its time, tells nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from pea.telemetry.record import SpanRecord, with_leaves
from pea.watch.alert import Alert
from pea.watch.families import FAMILIES, SERVICE, Family, Sorter, marked
from pea.watch.rule import Rule
from pea.watch.signals import Quantity, signal
from pea.watch.tally import likeliest_run

LEAST = 5  # traces
ALIKE = 0.5  # of the breach's share of bad calls: a time before it that has as much is a part of it

Trace = Sequence[SpanRecord]


def breaching(traces: Sequence[Trace], alert: Alert, rule: Rule) -> list[Trace]:
    """The traces of the breach, by the end of the calls that the alert is about; all of them where nobody can tell."""
    judge = _judge(alert, rule)
    if judge is None:
        return list(traces)
    bad, share = judge
    judged = sorted(_judged(traces, bad, alert, rule), key=lambda one: one[0])
    held = [int(wrong) for _, wrong, _ in judged]
    if not any(held):
        return list(traces)
    run = likeliest_run([1] * len(held), held, share, sum(held) / len(held))
    return [trace for _, _, trace in judged[-max(run, LEAST) :]]


def sound(times: Sequence[Sequence[Trace]], breach: Sequence[Trace], alert: Alert, rule: Rule) -> list[list[Trace]]:
    """Of some times before a breach, those that are a past: with calls that the alert is about, most of them well.

    A time is no past when more of its calls are bad than may be, and half as many as in the breach or more: the fault
    was there, and beside itself it would look like nothing.
    """
    judge = _judge(alert, rule)
    if judge is None:
        return [list(traces) for traces in times if traces]
    bad, allowed = judge
    limit = max(allowed, ALIKE * _share(_judged(breach, bad, alert, rule)))
    held = [list(_judged(traces, bad, alert, rule)) for traces in times]
    return [[trace for _, _, trace in judged] for judged in held if judged and _share(judged) <= limit]


Judged = tuple[int, bool, Trace]  # when the calls that the alert is about ended, whether one of them is bad


def _judged(traces: Iterable[Trace], bad: Callable[[SpanRecord], bool], alert: Alert, rule: Rule) -> Iterator[Judged]:
    """Traces without such calls are left out."""
    family, sorter = FAMILIES[signal(rule.signal).family], Sorter()
    for trace in traces:
        calls = [one for one in with_leaves(trace) if sorter.of(one) is family and _concerned(one, family, alert, rule)]
        if calls:
            yield max(one.end_ns for one in calls), any(map(bad, calls)), trace


def _share(judged: Iterable[Judged]) -> float:
    wrong = [one for _, one, _ in judged]
    return sum(wrong) / len(wrong) if wrong else 0.0


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
