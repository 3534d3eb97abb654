"""Many series learned together: arrays of one row per series, updated in one pass without a look ahead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from pea.errors import ConfigError
from pea.watch import baseline_cells as cells
from pea.watch import baseline_season as season
from pea.watch.baseline import DAY_S, LARGEST, WEEK_S, Row, Settings, Tuning, View
from pea.watch.baseline_state import SLOTS, C, Column, State

FADES = 8  # steps in which counts lose 1/e
LONGEST_STEP = 4.0  # usual intervals: a gap does not stretch the usual interval by more
LEVEL_S = 3 * DAY_S
ERROR_S = 5 * DAY_S
SEASON_LEAST = 0.1  # of the values' range: what is left of a perfect season is rounding
SEASONS_SEEN = 2  # days or weeks before a season is believed
RIPE = 2  # spans of a mean before it says anything
FLAT_POINTS = 12  # a pause of fewer is never remarkable
FLAT_CHANGES = 0.5  # a series that stands still more often than this is one that stands still

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Which = Rows | slice
_ALL: Final = slice(None)


class Readings(msgspec.Struct, frozen=True):
    """One figure for each value: from a ``score`` of 1 it is an alarm; ``view`` is the side that is most unusual.

    ``evidence`` is the score before the refractory rule: of an incident under way it stays high, while ``score`` is 0.
    """

    score: Floats
    evidence: Floats
    view: NDArray[np.uint8]
    above: NDArray[np.bool_]

    @property
    def alarms(self) -> Rows:
        """Which values are alarms."""
        return np.flatnonzero(self.score >= 1)


class Baselines:
    """What is normal for ``count`` series; about 2 kB each."""

    def __init__(self, count: int, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        if not self.settings.false_alarms > 0:
            raise ConfigError("the rate of false alarms must be above 0", where="baseline.false_alarms")
        self._state = State(count)
        self._every = np.arange(count)

    @property
    def count(self) -> int:
        """How many series there is room for."""
        return self._state.count

    @property
    def bytes_per_series(self) -> float:
        """Memory of the state."""
        return self._state.nbytes / max(self.count, 1)

    def grow(self, count: int) -> None:
        """Make room for ``count`` series; those that are there stay where they are."""
        self._state = self._state.grown(count)
        self._every = np.arange(count)

    def update(self, at: ArrayLike, values: ArrayLike, rows: ArrayLike | None = None) -> Readings:
        """Learn one value for each of ``rows`` (all by default; none twice) and say how unusual it is.

        ``at`` is seconds since the epoch, one for all or one each. A value that is not finite is missing: it says
        nothing and is not learned.
        """
        index = self._every if rows is None else np.asarray(rows, np.intp)
        when, value = np.asarray(at, np.float64), np.asarray(values, np.float64)
        there = np.isfinite(value)
        value = np.clip(value, -LARGEST, LARGEST)
        if there.all():
            return self._update(when, value, index, _ALL if rows is None else index) if len(index) else _nothing(0)
        readings = _nothing(len(index))
        some = np.flatnonzero(there)
        if len(some):
            found = self._update(when[some] if when.ndim else when, value[some], index[some], index[some])
            for whole, part in zip(_fields(readings), _fields(found), strict=True):
                whole[some] = part
        return readings

    def silent(self, at: float) -> Floats:
        """For how many of its usual intervals each series has sent nothing; 0 for those that never began."""
        known = self._state.columns[C.POINTS] > 1
        waited = np.maximum(at - self._state.columns[C.LAST], 0.0)
        return np.where(known, waited / np.maximum(self._state.columns[C.INTERVAL], 1e-9), 0.0)

    def expected(self, row: int, at: float) -> tuple[float, float] | None:
        """The band in which a value would be normal now: the middle 98 % of visits, or the season's; else None."""
        s = self._state.columns[:, row]
        if self._state.width[View.VALUE, row] == 0 or s[C.POINTS] < SLOTS:
            return None
        rows = np.array([row])
        bins, aside = season.place(np.array([at]))
        daily, weekly = (float(one[0]) for one in season.forecast(self._state.profile, rows, rows, bins, aside))
        by_week = s[C.WEEK_ERROR] < s[C.DAY_ERROR] and not np.isnan(weekly)
        error = s[C.WEEK_ERROR] if by_week else s[C.DAY_ERROR]
        middle = weekly if by_week else daily
        if s[C.CLOCK] > SEASONS_SEEN * DAY_S and not np.isnan(middle) and error < 0.5 * s[C.LEVEL_ERROR]:
            return float(middle - 4 * error), float(middle + 4 * error)
        share = np.cumsum(self._state.counts[View.VALUE, row], dtype=np.float64)
        if share[-1] == 0:
            return None
        edges = np.searchsorted(share, share[-1] * np.array([0.01, 0.99]))
        low, width = self._state.low[View.VALUE, row], self._state.width[View.VALUE, row]
        return float(low + edges[0] * width), float(low + (edges[1] + 1) * width)

    def save(self) -> bytes:
        """The state; see `State.save`."""
        return self._state.save()

    def restore(self, state: bytes) -> None:
        """Go on from what was saved for as many series; ConfigError when it is something else."""
        self._state.restore(state)

    def take(self, row: int) -> Row:
        """The state of one series."""
        return self._state.take(row)

    def put(self, row: int, state: Row) -> None:
        """Make ``state`` that of a series; what was there is forgotten."""
        self._state.put(row, state)

    def forget(self, row: int) -> None:
        """Make a series one that has never begun."""
        self._state.clear(row)

    def _update(self, at: Floats, x: Floats, rows: Rows, which: Which) -> Readings:
        """``which`` is ``rows`` again, or the slice that is the same without a copy."""
        tuning = self.settings.tuning
        s = self._state.columns[:, which]
        step = self._pass_time(s, at, x)
        self._fade(rows, s)
        left, proof = self._without_season(s, at, x, rows, which, step)
        shrink = np.minimum(step / tuning.range_s, 1.0) / 2
        spread = _stretch(s, C.LOW, x, shrink, tuning.stretch)
        enough = tuning.enough + tuning.enough_share * s[C.VISITS]
        weights = tuning.weights
        value, short, long = (
            weight * self._track(view, x, rows, which, step, spread, enough, s[C.CLOCK])
            for weight, view in zip(weights, (View.VALUE, View.SHORT, View.LONG), strict=True)
        )
        novelty = (value + short + long) / (sum(weights) * tuning.novelty)
        seasonal = self._season(s, left, proof, rows, step, shrink, enough)
        restless = self._spread(s, x, rows, which, step, shrink, enough) / tuning.spread
        flat = self._flat(s, x, step)
        together = novelty + seasonal + restless
        of_values = np.where(short >= long, View.SHORT, View.LONG)
        of_values = np.where((value >= short) & (value >= long), View.VALUE, of_values)
        of_values = np.where(novelty >= restless, of_values, View.SPREAD)
        view = np.where(seasonal > np.maximum(novelty, restless), View.SEASON, of_values)
        view = np.where(flat > together, View.FLAT, view).astype(np.uint8)
        above = x > s[C.LEVEL]
        if self.settings.direction != "both":
            together[above != (self.settings.direction == "up")] = 0.0
            flat = np.where(above == (self.settings.direction == "up"), flat, 0.0)
        together = self._lasting(s, together, step)
        fresh = np.minimum(step / max(self.settings.overlap_s, 1e-9), 1.0)  # values that share samples count as one
        proven = s[C.POINTS] * fresh
        evidence = np.maximum(together, flat) * (proven / (proven + tuning.ramp)) * np.exp(-self._caution(s, step))
        evidence[s[C.CLOCK] <= self.settings.learn_s] = 0.0
        score = self._judge(s, evidence)
        s[C.PREVIOUS] = x
        if not isinstance(which, slice):
            self._state.columns[:, rows] = s
        return Readings(score, evidence, view, above)

    def _pass_time(self, s: Floats, at: Floats, x: Floats) -> Floats:
        """Move the clocks; returns the usual interval. A step back in time is no time."""
        new = np.flatnonzero(s[C.POINTS] == 0)
        if len(new):
            s[C.LEVEL, new] = s[C.LOW, new] = s[C.HIGH, new] = s[C.PREVIOUS, new] = x[new]
            s[C.LAST, new] = at[new] if at.ndim else at
        forward = np.maximum(at - s[C.LAST], 0.0)
        usual = s[C.INTERVAL]
        bounded = np.where(usual > 0, np.minimum(forward, LONGEST_STEP * usual), forward)
        gain = np.maximum(1 / np.maximum(s[C.POINTS], 1.0), 0.02)
        s[C.INTERVAL] = np.where(bounded > 0, usual + gain * (bounded - usual), usual)
        s[C.LAST] = at
        s[C.CLOCK] += forward
        s[C.ALARM_AGE] += forward
        s[C.STILL] += forward
        s[C.POINTS] += 1
        step = np.where(s[C.INTERVAL] > 0, s[C.INTERVAL], 1.0)
        kept = 1 - np.minimum(step / self.settings.tuning.counts_s, 1.0)
        s[C.VISITS] = (s[C.VISITS] + 1) * kept
        s[C.ALARMS] *= kept
        s[C.FADED] += step
        return step

    def _fade(self, rows: Rows, s: Floats) -> None:
        due = np.flatnonzero(s[C.FADED] > self.settings.tuning.counts_s / FADES)
        if len(due):
            s[C.FADED, due] = 0.0
            for counts in self._state.counts:
                cells.fade(counts, rows[due])

    def _without_season(
        self, s: Floats, at: Floats, x: Floats, rows: Rows, which: Which, step: Floats
    ) -> tuple[Floats, Floats]:
        """What is left of the values, and by which part the season forecasts better than the level (0: not proven)."""
        bins, aside = season.place(at)
        daily, weekly = season.forecast(self._state.profile, rows, which, bins, aside)
        no_day, no_week = np.isnan(daily), np.isnan(weekly)
        level_error = np.abs(x - s[C.LEVEL])
        day_error = np.where(no_day, level_error, np.abs(x - daily))
        week_error = np.where(no_week, day_error, np.abs(x - weekly))
        fresh = 1 / s[C.POINTS]
        gain = np.maximum(fresh, np.minimum(step / ERROR_S, 1.0))
        for column, error in ((C.LEVEL_ERROR, level_error), (C.DAY_ERROR, day_error), (C.WEEK_ERROR, week_error)):
            s[column] += gain * (error - s[column])
        s[C.LEVEL] += np.maximum(fresh, np.minimum(step / LEVEL_S, 1.0)) * (x - s[C.LEVEL])
        by_week = (s[C.CLOCK] > SEASONS_SEEN * WEEK_S) & ~no_week & (s[C.WEEK_ERROR] < s[C.DAY_ERROR])
        believed = (s[C.CLOCK] > SEASONS_SEEN * DAY_S) & ~no_day & (s[C.LEVEL_ERROR] > 0)
        best = np.where(by_week, s[C.WEEK_ERROR], s[C.DAY_ERROR])
        proof = np.where(believed, 1 - best / np.maximum(s[C.LEVEL_ERROR], 1e-300), 0.0)
        self._learn_season(s, x, rows, which, bins, step)
        return x - np.where(by_week, weekly, daily), proof

    def _learn_season(self, s: Floats, x: Floats, rows: Rows, which: Which, bins: Rows, step: Floats) -> None:
        place = (bins, rows) if bins.ndim else (int(bins), which)
        held = self._state.profile[place].astype(np.float64)
        s[C.IN_BIN] = np.where(s[C.BIN] == bins, s[C.IN_BIN] + 1, 0.0)
        s[C.BIN] = bins
        part = np.minimum(step / season.BIN_S, 1.0)
        weeks = np.floor(s[C.CLOCK] / WEEK_S)
        gain = np.maximum(self.settings.tuning.season_gain * part, 1 / (1 + weeks / part + s[C.IN_BIN]))
        self._state.profile[place] = np.where(np.isnan(held), x, held + gain * (x - held))

    def _season(
        self, s: Floats, left: Floats, proof: Floats, rows: Rows, step: Floats, shrink: Floats, enough: Floats
    ) -> Floats:
        """How unusual what is left is, where the season is proven."""
        tuning = self.settings.tuning
        found = np.zeros(len(rows))
        some = np.flatnonzero(proof > tuning.season_proof)
        if len(some):
            part, there = s[:, some], rows[some]
            begun = self._state.width[View.SEASON, there] > 0
            for column in (C.SEASON_LOW, C.SEASON_HIGH):
                part[column] = np.where(begun, part[column], left[some])
            spread = _stretch(part, C.SEASON_LOW, left[some], shrink[some], tuning.stretch)
            spread = np.maximum(spread, SEASON_LEAST * (part[C.HIGH] - part[C.LOW]))
            far = self._track(View.SEASON, left[some], there, there, step[some], spread, enough[some], part[C.CLOCK])
            found[some] = far * proof[some] ** 4 / tuning.season
            s[:, some] = part
        return found

    def _track(
        self,
        view: View,
        x: Floats,
        rows: Rows,
        which: Which,
        step: Floats,
        spread: Floats,
        enough: Floats,
        clock: Floats,
    ) -> Floats:
        """How far the mean over the view's span is from where it has been, as a part of the range remembered."""
        state, tuning = self._state, self.settings.tuning
        grids, span_s = state.grids(view), SPANS[view](tuning)
        new = np.flatnonzero(grids.width[which] == 0)
        if len(new):
            there = rows[new]
            state.mean[view, there] = x[new]
            grids.low[there], grids.width[there] = cells.first_grid(x[new])
        overlap_s, mean = self.settings.overlap_s, x
        if span_s or overlap_s:
            points = np.maximum(span_s / step, 1.0)
            now = state.mean[view, which]
            if span_s:
                mean = now + np.minimum(1.0, tuning.smoothing / (points + tuning.smoothing - 1)) * (x - now)
            lag = np.maximum(points * (tuning.lag if view is not View.SPREAD else 1.0), overlap_s / step)
            every = np.maximum(np.rint(lag / SLOTS), 1.0).astype(np.intp)
            slots = np.clip(np.rint(lag / every), 1, SLOTS).astype(np.intp)
        else:
            every, slots = _ONE, _ONE
        state.mean[view, which] = mean
        found = np.zeros(len(rows))
        ready = (state.pushed[view, which] >= SLOTS) & (spread > 0) & (clock > RIPE * span_s)
        if ready.all():
            cell = cells.locate(grids, rows, which, mean)
            far = cells.distance(grids.counts, rows, cell, enough) * grids.width[which]
            found = np.minimum(far / spread, 1.0)
        elif ready.any():
            some = np.flatnonzero(ready)
            there = rows[some]
            cell = cells.locate(grids, there, there, mean[some])
            far = cells.distance(grids.counts, there, cell, enough[some]) * grids.width[there]
            found[some] = np.minimum(far / spread[some], 1.0)
        self._push(view, rows, which, mean, every, slots)
        return found

    def _push(self, view: View, rows: Rows, which: Which, mean: Floats, every: Rows, slots: Rows) -> None:
        """Hand the mean on towards the counts, where it arrives some slots later, each of ``every`` points."""
        state = self._state
        pushed = state.pushed[view, which].astype(np.intp)
        state.since[view, which] += 1
        if every.max() > 1:
            odd = (pushed & 1) * (every > 1)  # no fixed stride, or a season could hide between its steps
            due = np.flatnonzero(state.since[view, which] >= every + odd)
            if not len(due):
                return
            rows = which = rows[due]
            mean, every, slots, pushed = mean[due], every[due], slots[due], pushed[due]
        state.since[view, which] = 0
        old = pushed >= slots
        some = _ALL if old.all() else np.flatnonzero(old)
        there = rows[some]
        if len(there):
            stride, turn = (every, slots) if not every.ndim else (every[some], slots[some])
            places = there * SLOTS
            then = state.waiting[view].reshape(-1).take(places + ((pushed[some] - turn) & SLOTS - 1))
            grids = state.grids(view)
            cell = cells.locate(grids, there, which if isinstance(some, slice) else there, then.astype(np.float64))
            cells.visit(grids.counts, there * cells.CELLS + cell, stride)
        state.waiting[view].reshape(-1)[rows * SLOTS + (pushed & SLOTS - 1)] = mean
        pushed += 1
        state.pushed[view, which] = np.where(pushed >= 2 * SLOTS, pushed - SLOTS, pushed)

    def _spread(
        self, s: Floats, x: Floats, rows: Rows, which: Which, step: Floats, shrink: Floats, enough: Floats
    ) -> Floats:
        """The mean size of steps, as a track of its own."""
        size = np.abs(x - s[C.PREVIOUS])
        points = np.maximum(self.settings.tuning.spread_s / step, 1.0)
        begun = self._state.width[View.SPREAD, which] > 0
        now = np.where(begun, self._state.mean[View.SPREAD, which], size)
        smoothing = self.settings.tuning.smoothing
        mean = now + np.minimum(1.0, smoothing / (points + smoothing - 1)) * (size - now)
        if not begun.all():
            for column in (C.SPREAD_LOW, C.SPREAD_HIGH):
                s[column] = np.where(begun, s[column], mean)
        spread = _stretch(s, C.SPREAD_LOW, mean, shrink, 1.0)
        return self._track(View.SPREAD, size, rows, which, step, spread, enough, s[C.CLOCK])

    def _flat(self, s: Floats, x: Floats, step: Floats) -> Floats:
        """For how long the value has not changed, against the longest before; only of a series that moves."""
        moved = x != s[C.PREVIOUS]
        longest = np.maximum(s[C.STILL_MOST], s[C.STILL] - step)
        s[C.STILL_MOST] = np.where(moved, longest, s[C.STILL_MOST])
        s[C.CHANGES] += moved
        s[C.STILL] = np.where(moved, 0.0, s[C.STILL])
        lively = (s[C.CHANGES] > FLAT_CHANGES * s[C.POINTS]) & (s[C.STILL] > FLAT_POINTS * step)
        found = np.zeros(len(x))
        some = np.flatnonzero(lively)
        if len(some):
            usual = np.maximum(s[C.STILL_MOST, some], step[some])
            found[some] = s[C.STILL, some] / (usual * self.settings.tuning.flat)
        return found

    def _lasting(self, s: Floats, together: Floats, step: Floats) -> Floats:
        """What is unusual now, raised by what was so of late and lowered by what always is.

        A leaky sum over time as in Page's test (1954), "Continuous inspection schemes": many small surprises on end are
        one large.
        """
        tuning = self.settings.tuning
        lasting, habit = s[C.LASTING], s[C.HABIT]
        found: Floats = together + tuning.lasting * np.maximum(lasting - habit, 0.0) - tuning.habit * habit
        held, fresh = np.minimum(together, tuning.lasting_most), 1 / s[C.POINTS]
        s[C.LASTING] += np.maximum(fresh, np.minimum(step / tuning.lasting_s, 1.0)) * (held - lasting)
        s[C.HABIT] += np.maximum(fresh, np.minimum(step / tuning.habit_s, 1.0)) * (held - habit)
        np.maximum(found, 0.0, out=found)
        return found

    def _caution(self, s: Floats, step: Floats) -> Floats:
        """What the threshold is raised by, in logarithm, so that alarms come at the rate that was asked for.

        With n alarms where e were asked for, (n + a) / (e + a) is how many times too often they come: the mean of a
        rate of events whose prior is a gamma distribution about the asked one, worth a alarms (Gelman and others,
        "Bayesian Data Analysis", section 2.6). One busy day says little, and a series that is odd by nature much.
        """
        tuning, prior = self.settings.tuning, self.settings.tuning.caution_prior
        asked = s[C.VISITS] * step * self.settings.asked_s
        often: Floats = tuning.caution * np.log((s[C.ALARMS] + prior) / (asked + prior))
        return self.settings.first_caution + np.maximum(often, tuning.caution_least)

    def _judge(self, s: Floats, evidence: Floats) -> Floats:
        """The refractory rule: one incident is one alarm."""
        tuning = self.settings.tuning
        rested = (s[C.ALARM] == 0) | (s[C.ALARM_AGE] > tuning.refractory_s)
        score = np.where(rested | (evidence >= tuning.escalation * s[C.ALARM]), evidence, 0.0)
        alarm = np.flatnonzero(score >= 1)
        if len(alarm):
            s[C.ALARM_AGE, alarm] = 0.0
            s[C.ALARM, alarm] = score[alarm]
            s[C.ALARMS, alarm] += 1
        return score


_ONE: Final = np.ones((), np.intp)


def _stretch(s: Floats, low: Column, x: Floats, shrink: Floats, part: float) -> Floats:
    """Let the range remembered shrink with time, go a part of the way to the value, and say how wide it is then."""
    lowest, highest = s[low], s[low + 1]
    slack = (highest - lowest) * shrink
    highest, lowest = highest - slack, lowest + slack
    s[low + 1] = highest = highest + part * np.maximum(x - highest, 0.0)
    s[low] = lowest = lowest + part * np.minimum(x - lowest, 0.0)
    width: Floats = highest - lowest
    return width


SPANS: Final[dict[View, Callable[[Tuning], float]]] = {
    View.VALUE: lambda _: 0.0,
    View.SHORT: lambda tuning: tuning.short_s,
    View.LONG: lambda tuning: tuning.long_s,
    View.SEASON: lambda _: 0.0,
    View.SPREAD: lambda tuning: tuning.spread_s,
}


def _nothing(count: int) -> Readings:
    return Readings(np.zeros(count), np.zeros(count), np.zeros(count, np.uint8), np.zeros(count, np.bool_))


def _fields(readings: Readings) -> tuple[NDArray[np.generic], ...]:
    return readings.score, readings.evidence, readings.view, readings.above
