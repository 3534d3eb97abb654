"""A rule's reading of spans: quantiles, shares, rates and budgets from the windows of one set of label values."""

from __future__ import annotations

import math
from collections.abc import Callable, Container

from pea.watch.bounds import poisson_lower, poisson_upper, surely_above, surely_below
from pea.watch.buckets import merge, quantile
from pea.watch.change import Before, rate_share, spans_before
from pea.watch.reading import Labels, Reading, Scene, clear_bound, held_bound, is_over, judged, silence
from pea.watch.rule import Change, Rule
from pea.watch.signals import Quantity, Signal
from pea.watch.tally import PLAIN, Tally, looks, onset, possible, sure_since, tally
from pea.watch.window import SHORT_S, SLICE_S, Slice, Window


def span_reading(
    rule: Rule,
    watched: Signal,
    scene: Scene,
    labels: Labels,
    windows: list[Window],
    now_s: float,
    active: Container[Labels],
) -> Reading:
    """What a rule finds in the windows of one set of label values; whoever asks holds their lock."""
    if rule.absent is not None:
        silent = now_s - max(window.last_s for window in windows)
        return silence(rule, labels, silent)
    if rule.burn is not None:
        return _burning(rule, labels, windows, now_s)
    start_s = now_s - rule.window
    if rule.change is not None:
        return _changed(rule, rule.change, watched, scene, labels, windows, now_s, active)
    if watched.quantity is Quantity.QUANTILE:
        return _quantile(rule, watched, labels, windows, now_s, shown=labels in active)
    if watched.quantity is Quantity.RATE and now_s - scene.started_s < rule.window:
        return Reading(labels, math.nan, None, None)
    if watched.quantity in {Quantity.MARKED, Quantity.UNMARKED}:
        return _share(rule, watched, labels, windows, now_s)
    if watched.quantity is Quantity.RATE:
        return _rate(rule, labels, tally(windows, start_s, now_s, lambda _: 0))
    figures = [window.figures(start_s, now_s) for window in windows]
    count = sum(one.count for one in figures)
    if count < rule.min_samples:
        return Reading(labels, math.nan, None, None, {"samples": count})
    if watched.quantity is Quantity.MEAN:
        return judged(rule, labels, sum(one.total for one in figures) / count, {"samples": count})
    return judged(rule, labels, max(one.high for one in figures), {"samples": count})


def _changed(
    rule: Rule,
    change: Change,
    watched: Signal,
    scene: Scene,
    labels: Labels,
    windows: list[Window],
    now_s: float,
    active: Container[Labels],
) -> Reading:
    """The window beside the time before it, or before the alert that is there already."""
    last_s = now_s - rule.window
    first_s, size = last_s - change.over, float(change.at_least)
    if watched.quantity is Quantity.RATE:
        count = sum(window.figures(first_s, last_s).count for window in windows)
        if first_s < scene.started_s:
            return Reading(labels, math.nan, None, None, {"samples_before": count})
        recent = sum(window.figures(last_s, now_s).count for window in windows)
        share = rate_share(change.factor, rule.window, change.over)
        surely = surely_above if change.factor > 1 else surely_below
        now, then = recent / rule.window, count / change.over
        matters = count + recent >= rule.min_samples and abs(now - then) >= size
        wrong = matters and surely(count + recent, recent, share, rule.confidence)
        return Reading(labels, now, wrong, not wrong, {"samples": recent, "before": then})
    marks = watched.quantity is Quantity.MARKED
    before = held_bound(active, labels, now_s)
    if before is None:
        # No bound is below the least difference that matters: where that is not passed, what was before is no matter.
        past = tally(windows, last_s, now_s, lambda one: one.marked if marks else one.above(size))
        if not possible(past, size if marks else 1.0 - watched.q, rule.confidence):
            return Reading(labels, math.nan, False, True, {"samples": past.whole[0]})
        before = spans_before(rule, change, watched, windows, now_s)
    if before is None:
        return Reading(labels, math.nan, None, None)
    if marks:
        return _share(rule, watched, labels, windows, now_s, before)
    return _quantile(rule, watched, labels, windows, now_s, shown=labels in active, before=before)


def _quantile(
    rule: Rule,
    watched: Signal,
    labels: Labels,
    windows: list[Window],
    now_s: float,
    *,
    shown: bool,
    before: Before | None = None,
) -> Reading:
    start_s, bad = now_s - rule.window, 1.0 - watched.q
    bound = float(rule.above if rule.above is not None else rule.below or 0.0) if before is None else before.bound
    # A bound that moves is not worth remembering what is above it.

    def counted(one: Slice) -> int:
        return one.above(bound) if before is None else one.fold().above(bound)

    past = tally(windows, start_s, now_s, counted)
    count, slower = past.whole
    if count < rule.min_samples:
        return Reading(labels, math.nan, None, None, {"samples": count})
    # The quantile is at most the bound exactly when no more values are above it than may be.
    allowed = count - math.ceil(watched.q * count - 1e-9)
    cleared = slower
    if before is None:
        cleared = sum(window.above(start_s, now_s, clear_bound(rule)) for window in windows)
    if rule.below is None:
        since_s = sure_since(past, bad, rule.confidence, lambda: _earlier(windows, start_s, now_s, counted))
        wrong, over = since_s is not None, cleared <= allowed
    else:
        since_s = None
        wrong, over = surely_below(count, slower, bad, rule.confidence), cleared > allowed
    value = math.nan
    if wrong or shown:
        first_s = start_s if since_s is None else since_s
        value = quantile(merge(one.fold() for window in windows for one in window.slices(first_s, now_s)), watched.q)
    evidence: dict[str, float] = {
        "samples": count,
        "past_threshold": slower,
        **({} if before is None else before.evidence(now_s)),
    }
    if since_s is not None:
        evidence["seconds"] = round(now_s - since_s, 3)
    return Reading(labels, value, wrong, over and not wrong, evidence, onset(past, since_s, bad, rule.confidence))


def _rate(rule: Rule, labels: Labels, past: Tally) -> Reading:
    """Events per second: few or many of them show in the last slices first, as what is bad does."""
    value, evidence = past.whole[0] / rule.window, {"samples": float(past.whole[0])}
    whole = judged(rule, labels, value, evidence)
    if rule.confidence <= PLAIN:
        return whole
    bound = float(rule.above if rule.above is not None else rule.below or 0.0)
    for length, error in looks(len(past.counts), rule.confidence):
        count, mean = sum(past.counts[-length:]), bound * length * SLICE_S
        if (poisson_upper if rule.above is not None else poisson_lower)(count, mean) <= error:
            since_s = (int(past.now_s // SLICE_S) - length + 1) * float(SLICE_S)
            evidence["seconds"] = float(length * SLICE_S)
            return Reading(labels, count / (length * SLICE_S), True, False, evidence, since_s)
    return Reading(labels, value, False, whole.over, evidence)


def _share(
    rule: Rule, watched: Signal, labels: Labels, windows: list[Window], now_s: float, before: Before | None = None
) -> Reading:
    good = watched.quantity is Quantity.UNMARKED

    def counted(one: Slice) -> int:
        return one.count - one.marked if good else one.marked

    start_s = now_s - rule.window
    past = tally(windows, start_s, now_s, counted)
    count, held = past.whole
    if count < rule.min_samples:
        return Reading(labels, math.nan, None, None, {"samples": count})
    value = held / count
    evidence: dict[str, float] = {
        "samples": count,
        "counted": held,
        **({} if before is None else before.evidence(now_s)),
    }
    if rule.below is not None:
        wrong = surely_below(count, held, float(rule.below), rule.confidence)
        return Reading(labels, value, wrong, is_over(rule, value) and not wrong, evidence)
    bound = float(rule.above or 0.0) if before is None else before.bound
    since_s = sure_since(past, bound, rule.confidence, lambda: _earlier(windows, start_s, now_s, counted))
    if since_s is not None:
        recent, bad = past.since(since_s)
        shown, evidence["seconds"] = bad / recent, round(now_s - since_s, 3)
        return Reading(labels, shown, True, False, evidence, onset(past, since_s, bound, rule.confidence))
    return Reading(labels, value, False, is_over(rule, value) if before is None else value <= bound, evidence)


def _earlier(windows: list[Window], start_s: float, now_s: float, counted: Callable[[Slice], int]) -> tuple[int, int]:
    """All values, and those that count against, of what windows remember from before the rule's own window."""
    return tally(windows, now_s - SHORT_S, start_s, counted).whole


def _burning(rule: Rule, labels: Labels, windows: list[Window], now_s: float) -> Reading:
    burn = rule.burn
    if burn is None:
        raise ValueError(f"{rule.name} has no objective")
    limit = None if burn.limit is None else float(burn.limit)
    budget = 1.0 - burn.objective
    wrong, over, highest, known = False, True, 0.0, False
    evidence: dict[str, float] = {"objective": float(burn.objective)}
    for pair in burn.windows:
        count, bad = _events(windows, now_s, float(pair.long), limit)
        recent, recent_bad = _events(windows, now_s, float(pair.short), limit)
        if count < rule.min_samples or not recent:
            continue
        known = True
        rate, recent_rate = bad / count / budget, recent_bad / recent / budget
        # Sure that the budget is overspent at all; how much faster is for the plain rates to say.
        burning = min(rate, recent_rate) > pair.factor and surely_above(count, bad, budget, rule.confidence)
        wrong, over = wrong or burning, over and recent_rate <= pair.factor
        highest = max(highest, min(rate, recent_rate))
        evidence |= {f"burn_{pair.long:g}s": rate, f"burn_{pair.short:g}s": recent_rate}
    if not known:
        return Reading(labels, math.nan, None, None, evidence)
    return Reading(labels, highest, wrong, over and not wrong, evidence)


def _events(windows: list[Window], now_s: float, reach_s: float, limit: float | None) -> tuple[int, int]:
    """All events within the reach, and those that are bad."""
    count = bad = 0
    for window in windows:
        if reach_s > SHORT_S:
            held, worse = window.long(now_s - reach_s, now_s, limit)
        else:
            figures = window.figures(now_s - reach_s, now_s)
            held = figures.count
            worse = figures.marked if limit is None else window.above(now_s - reach_s, now_s, limit)
        count, bad = count + held, bad + worse
    return count, bad
