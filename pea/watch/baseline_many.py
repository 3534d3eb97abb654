"""Many series learned together: arrays of one row per series, updated in one pass without a look ahead."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from pea.errors import ConfigError
from pea.watch import baseline_cells as cells
from pea.watch import baseline_season as season
from pea.watch.baseline import DAY_S, LARGEST, TRACKS, WEEK_S, Row, Settings, Tuning, View

SLOTS = 8  # of a mean on its way to be history
FADES = 8  # steps in which counts lose 1/e
LONGEST_STEP = 4.0  # usual intervals: a gap does not stretch the usual interval by more
LEVEL_S = 3 * DAY_S
ERROR_S = 5 * DAY_S
SEASON_LEAST = 0.1  # of the values' range: what is left of a perfect season is rounding
SEASONS_SEEN = 2  # days or weeks before a season is believed
FLAT_POINTS = 12  # a pause of fewer is never remarkable
FLAT_CHANGES = 0.5  # a series that stands still more often than this is one that stands still

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]


class Column(enum.IntEnum):
    """The figures kept for each series; times in seconds."""

    LAST = 0  # when the last value came
    CLOCK = 1  # time learned: the sum of steps forward
    INTERVAL = 2  # the usual one
    POINTS = 3
    VISITS = 4  # points, those long ago counting less
    FADED = 5  # since counts faded
    LOW = 6
    HIGH = 7
    SEASON_LOW = 8
    SEASON_HIGH = 9
    SPREAD_LOW = 10
    SPREAD_HIGH = 11
    LEVEL = 12
    LEVEL_ERROR = 13  # mean absolute errors of three forecasts
    DAY_ERROR = 14
    WEEK_ERROR = 15
    IN_BIN = 16  # points in the present bin of the season
    PREVIOUS = 17
    STILL = 18  # since the value changed
    STILL_MOST = 19  # the longest before
    CHANGES = 20
    ALARM_AGE = 21
    ALARM = 22  # how unusual the last alarm was
    CAUTION = 23
    BIN = 24


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


C: Final = Column
FORMAT = "pea-baselines-1"
HEADER = 32


class Baselines:
    """What is normal for ``count`` series; about 2 kB each."""

    def __init__(self, count: int, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        if not self.settings.false_alarms > 0:
            raise ConfigError("the rate of false alarms must be above 0", where="baseline.false_alarms")
        self.count = count
        tracks = len(TRACKS)
        self._columns = np.zeros((len(Column), count))
        self._mean = np.zeros((tracks, count))
        self._low = np.zeros((tracks, count))
        self._width = np.zeros((tracks, count))  # 0: the track has not begun
        self._counts = np.zeros((tracks, count, cells.CELLS), np.uint8)
        self._waiting = np.zeros((tracks, count, SLOTS), np.float32)
        self._pushed = np.zeros((tracks, count), np.uint16)  # slots filled so far, held below 2 · SLOTS
        self._since = np.zeros((tracks, count), np.uint16)  # points since the last slot
        self._profile = np.full((count, season.BINS), np.nan, np.float32)

    @property
    def bytes_per_series(self) -> float:
        """Memory of the state."""
        return sum(array.nbytes for array in self._arrays()) / max(self.count, 1)

    def update(self, at: ArrayLike, values: ArrayLike, rows: ArrayLike | None = None) -> Readings:
        """Learn one value for each of ``rows`` (all by default; none twice) and say how unusual it is.

        ``at`` is seconds since the epoch, one for all or one each. A value that is not finite is missing: it says
        nothing and is not learned.
        """
        index = np.arange(self.count) if rows is None else np.asarray(rows, np.intp)
        when = np.broadcast_to(np.asarray(at, np.float64), index.shape)
        value = np.asarray(values, np.float64)
        there = np.flatnonzero(np.isfinite(value))
        readings = _nothing(len(index))
        if len(there):
            found = self._update(when[there], np.clip(value[there], -LARGEST, LARGEST), index[there])
            for whole, some in zip(_fields(readings), _fields(found), strict=True):
                whole[there] = some
        return readings

    def silent(self, at: float) -> Floats:
        """For how many of its usual intervals each series has sent nothing; 0 for those that never began."""
        known = self._columns[C.POINTS] > 1
        waited = np.maximum(at - self._columns[C.LAST], 0.0)
        return np.where(known, waited / np.maximum(self._columns[C.INTERVAL], 1e-9), 0.0)

    def expected(self, row: int, at: float) -> tuple[float, float] | None:
        """The band in which a value would be normal now: the middle 98 % of visits, or the season's; else None."""
        s = self._columns[:, row]
        if self._width[View.VALUE, row] == 0 or s[C.POINTS] < SLOTS:
            return None
        bins, aside = season.place(np.array([at]))
        daily, weekly = (float(one[0]) for one in season.forecast(self._profile, np.array([row]), bins, aside))
        by_week = s[C.WEEK_ERROR] < s[C.DAY_ERROR] and not np.isnan(weekly)
        error = s[C.WEEK_ERROR] if by_week else s[C.DAY_ERROR]
        middle = weekly if by_week else daily
        if s[C.CLOCK] > SEASONS_SEEN * DAY_S and not np.isnan(middle) and error < 0.5 * s[C.LEVEL_ERROR]:
            return float(middle - 4 * error), float(middle + 4 * error)
        share = np.cumsum(self._counts[View.VALUE, row], dtype=np.float64)
        if share[-1] == 0:
            return None
        edges = np.searchsorted(share, share[-1] * np.array([0.01, 0.99]))
        low, width = self._low[View.VALUE, row], self._width[View.VALUE, row]
        return float(low + edges[0] * width), float(low + (edges[1] + 1) * width)

    def save(self) -> bytes:
        """The state; the arrays' bytes one after another, behind the layout they have."""
        layout = [FORMAT, self.count]
        return msgspec.msgpack.encode(layout).ljust(HEADER, b"\0") + b"".join(one.tobytes() for one in self._arrays())

    def restore(self, state: bytes) -> None:
        """Go on from what was saved for as many series; ConfigError when it is something else."""
        sizes = [one.nbytes for one in self._arrays()]
        header = msgspec.msgpack.encode([FORMAT, self.count]).ljust(HEADER, b"\0")
        if state[:HEADER] != header or len(state) != HEADER + sum(sizes):
            raise ConfigError("the saved baselines are of another layout or count", fix="they are learned anew")
        start = HEADER
        for array, size in zip(self._arrays(), sizes, strict=True):
            array[...] = np.frombuffer(state, array.dtype, array.size, start).reshape(array.shape)
            start += size

    def take(self, row: int) -> Row:
        """The state of one series."""
        return Row(
            columns=self._columns[:, row].tolist(),
            mean=self._mean[:, row].tolist(),
            low=self._low[:, row].tolist(),
            width=self._width[:, row].tolist(),
            counts=[one.tobytes() for one in self._counts[:, row]],
            waiting=[one.tobytes() for one in self._waiting[:, row]],
            pushed=self._pushed[:, row].tolist(),
            since=self._since[:, row].tolist(),
            profile=self._profile[row].tobytes(),
        )

    def put(self, row: int, state: Row) -> None:
        """Make ``state`` that of a series; what was there is forgotten."""
        for array, held in (
            (self._columns, state.columns),
            (self._mean, state.mean),
            (self._low, state.low),
            (self._width, state.width),
            (self._pushed, state.pushed),
            (self._since, state.since),
        ):
            array[:, row] = held
        self._counts[:, row] = [np.frombuffer(one, np.uint8) for one in state.counts]
        self._waiting[:, row] = [np.frombuffer(one, np.float32) for one in state.waiting]
        self._profile[row] = np.frombuffer(state.profile, np.float32)

    def _arrays(self) -> tuple[NDArray[np.generic], ...]:
        return (
            self._columns,
            self._mean,
            self._low,
            self._width,
            self._counts,
            self._waiting,
            self._pushed,
            self._since,
            self._profile,
        )

    def _update(self, at: Floats, x: Floats, rows: Rows) -> Readings:
        tuning = self.settings.tuning
        s = self._columns[:, rows]
        new = s[C.POINTS] == 0
        for column in (C.LEVEL, C.LOW, C.HIGH, C.PREVIOUS):
            s[column][new] = x[new]
        s[C.CAUTION][new] = self.settings.first_caution
        step = self._pass_time(s, at, new)
        self._fade(rows, s)
        left, proof = self._without_season(s, at, x, rows, step)
        self._stretch(s, C.LOW, x, step)
        weights = tuning.weights
        value, short, long = (
            weight * self._track(view, x, s, rows, step, C.LOW)
            for weight, view in zip(weights, (View.VALUE, View.SHORT, View.LONG), strict=True)
        )
        novelty = (value + short + long) / (sum(weights) * tuning.novelty)
        seasonal = np.zeros(len(x))
        in_season = np.flatnonzero(proof > tuning.season_proof)
        if len(in_season):
            part = s[:, in_season]
            begun = self._width[View.SEASON, rows[in_season]] > 0
            for column in (C.SEASON_LOW, C.SEASON_HIGH):
                part[column] = np.where(begun, part[column], left[in_season])
            self._stretch(part, C.SEASON_LOW, left[in_season], step[in_season])
            least = SEASON_LEAST * (part[C.HIGH] - part[C.LOW])
            far = self._track(View.SEASON, left[in_season], part, rows[in_season], step[in_season], C.SEASON_LOW, least)
            seasonal[in_season] = far * proof[in_season] ** 4 / tuning.season
            s[:, in_season] = part
        spread = self._spread(s, x, rows, step) / tuning.spread
        flat = self._flat(s, x, step)
        evidence = np.maximum(np.maximum(novelty, seasonal), np.maximum(spread, flat))
        of_values = np.where(short >= long, View.SHORT, View.LONG)
        of_values = np.where((value >= short) & (value >= long), View.VALUE, of_values)
        other = np.where(seasonal >= evidence, View.SEASON, np.where(spread >= evidence, View.SPREAD, View.FLAT))
        view = np.where(novelty >= evidence, of_values, other).astype(np.uint8)
        evidence = np.where(s[C.CLOCK] > self.settings.learn_s, evidence, 0.0) * np.exp(-s[C.CAUTION])
        score = self._judge(s, evidence, step)
        above = x > s[C.LEVEL]
        s[C.PREVIOUS] = x
        self._columns[:, rows] = s
        return Readings(score, evidence, view, above)

    def _pass_time(self, s: Floats, at: Floats, new: NDArray[np.bool_]) -> Floats:
        """Move the clocks; returns the usual interval. A step back in time is no time."""
        forward = np.where(new, 0.0, np.maximum(at - s[C.LAST], 0.0))
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
        s[C.VISITS] = (s[C.VISITS] + 1) * (1 - np.minimum(step / self.settings.tuning.counts_s, 1.0))
        s[C.FADED] += step
        return step

    def _fade(self, rows: Rows, s: Floats) -> None:
        due = np.flatnonzero(s[C.FADED] > self.settings.tuning.counts_s / FADES)
        if len(due):
            s[C.FADED, due] = 0.0
            for counts in self._counts:
                cells.fade(counts, rows[due])

    def _without_season(self, s: Floats, at: Floats, x: Floats, rows: Rows, step: Floats) -> tuple[Floats, Floats]:
        """What is left of the values, and by which part the season forecasts better than the level (0: not proven)."""
        bins, aside = season.place(at)
        daily, weekly = season.forecast(self._profile, rows, bins, aside)
        level_error = np.abs(x - s[C.LEVEL])
        day_error = np.where(np.isnan(daily), level_error, np.abs(x - daily))
        week_error = np.where(np.isnan(weekly), day_error, np.abs(x - weekly))
        gain = np.maximum(1 / s[C.POINTS], np.minimum(step / ERROR_S, 1.0))
        for column, error in ((C.LEVEL_ERROR, level_error), (C.DAY_ERROR, day_error), (C.WEEK_ERROR, week_error)):
            s[column] += gain * (error - s[column])
        s[C.LEVEL] += np.maximum(1 / s[C.POINTS], np.minimum(step / LEVEL_S, 1.0)) * (x - s[C.LEVEL])
        by_week = (s[C.CLOCK] > SEASONS_SEEN * WEEK_S) & ~np.isnan(weekly) & (s[C.WEEK_ERROR] < s[C.DAY_ERROR])
        believed = (s[C.CLOCK] > SEASONS_SEEN * DAY_S) & ~np.isnan(daily) & (s[C.LEVEL_ERROR] > 0)
        best = np.where(by_week, s[C.WEEK_ERROR], s[C.DAY_ERROR])
        proof = np.where(believed, 1 - best / np.maximum(s[C.LEVEL_ERROR], 1e-300), 0.0)
        self._learn_season(s, x, rows, bins, step)
        return x - np.where(by_week, weekly, daily), proof

    def _learn_season(self, s: Floats, x: Floats, rows: Rows, bins: Rows, step: Floats) -> None:
        held = self._profile[rows, bins].astype(np.float64)
        s[C.IN_BIN] = np.where(s[C.BIN] == bins, s[C.IN_BIN] + 1, 0.0)
        s[C.BIN] = bins
        part = np.minimum(step / season.BIN_S, 1.0)
        weeks = np.floor(s[C.CLOCK] / WEEK_S)
        gain = np.maximum(self.settings.tuning.season_gain * part, 1 / (1 + weeks / part + s[C.IN_BIN]))
        self._profile[rows, bins] = np.where(np.isnan(held), x, held + gain * (x - held))

    def _stretch(self, s: Floats, low: Column, x: Floats, step: Floats) -> None:
        """Let the range remembered shrink with time, and take the value in."""
        high = Column(low + 1)
        slack = (s[high] - s[low]) * np.minimum(step / self.settings.tuning.range_s, 1.0) / 2
        s[high] = np.maximum(s[high] - slack, x)
        s[low] = np.minimum(s[low] + slack, x)

    def _track(
        self, view: View, x: Floats, s: Floats, rows: Rows, step: Floats, low: Column, least: ArrayLike = 0.0
    ) -> Floats:
        """How far the mean over the view's span is from where it has been, as a part of the range remembered."""
        tuning = self.settings.tuning
        points = np.maximum(SPANS[view](tuning) / step, 1.0)
        counts, lows, widths, mean = self._counts[view], self._low[view], self._width[view], self._mean[view]
        new = rows[widths[rows] == 0]
        if len(new):
            begun = x[widths[rows] == 0]
            mean[new] = begun
            lows[new], widths[new] = cells.first_grid(begun)
        mean[rows] += np.minimum(1.0, tuning.smoothing / (points + tuning.smoothing - 1)) * (x - mean[rows])
        spread = np.maximum(s[low + 1] - s[low], least)
        pushed = self._pushed[view, rows]
        ready = np.flatnonzero((pushed >= SLOTS) & (spread > 0))
        found = np.zeros(len(rows))
        if len(ready):
            there = rows[ready]
            cell = cells.locate(counts, lows, widths, there, mean[there])
            enough = tuning.enough + tuning.enough_share * s[C.VISITS, ready]
            far = cells.distance(counts, there, cell, enough) * widths[there]
            found[ready] = np.minimum(far / spread[ready], 1.0)
        self._push(view, rows, points * (tuning.lag if view is not View.SPREAD else 1.0))
        return found

    def _push(self, view: View, rows: Rows, lag: Floats) -> None:
        """Hand the mean on towards the counts, where it arrives after ``lag`` points in steps of at most a slot's."""
        every = np.maximum(np.rint(lag / SLOTS), 1.0)
        self._since[view, rows] += 1
        odd = (self._pushed[view, rows] % 2) * (every > 1)  # no fixed stride, or a season could hide between its steps
        due = np.flatnonzero(self._since[view, rows] >= every + odd)
        if not len(due):
            return
        there, stride = rows[due], every[due]
        slots = np.clip(np.rint(lag[due] / stride), 1, SLOTS).astype(np.intp)
        pushed = self._pushed[view, there].astype(np.intp)
        waiting, mean = self._waiting[view], self._mean[view]
        old = np.flatnonzero(pushed >= slots)
        if len(old):
            then = waiting[there[old], (pushed[old] - slots[old]) % SLOTS].astype(np.float64)
            cell = cells.locate(self._counts[view], self._low[view], self._width[view], there[old], then)
            cells.visit(self._counts[view], there[old], cell, stride[old])
        waiting[there, pushed % SLOTS] = mean[there]
        self._pushed[view, there] = np.where(pushed + 1 >= 2 * SLOTS, pushed + 1 - SLOTS, pushed + 1)
        self._since[view, there] = 0

    def _spread(self, s: Floats, x: Floats, rows: Rows, step: Floats) -> Floats:
        """The mean size of steps, as a track of its own."""
        size = np.abs(x - s[C.PREVIOUS])
        points = np.maximum(self.settings.tuning.spread_s / step, 1.0)
        begun = self._width[View.SPREAD, rows] > 0
        now = np.where(begun, self._mean[View.SPREAD, rows], size)
        smoothing = self.settings.tuning.smoothing
        gain = np.minimum(1.0, smoothing / (points + smoothing - 1))
        mean = now + gain * (size - now)
        for column in (C.SPREAD_LOW, C.SPREAD_HIGH):
            s[column] = np.where(begun, s[column], mean)
        self._stretch(s, C.SPREAD_LOW, mean, step)
        return self._track(View.SPREAD, size, s, rows, step, C.SPREAD_LOW)

    def _flat(self, s: Floats, x: Floats, step: Floats) -> Floats:
        """For how long the value has not changed, against the longest before; only of a series that moves."""
        moved = x != s[C.PREVIOUS]
        s[C.STILL_MOST] = np.where(moved, np.maximum(s[C.STILL_MOST], s[C.STILL] - step), s[C.STILL_MOST])
        s[C.CHANGES] += moved
        s[C.STILL] = np.where(moved, 0.0, s[C.STILL])
        usual = np.maximum(s[C.STILL_MOST], step)
        lively = (s[C.CHANGES] > FLAT_CHANGES * s[C.POINTS]) & (s[C.STILL] > FLAT_POINTS * step)
        return np.where(lively, s[C.STILL] / (usual * self.settings.tuning.flat), 0.0)

    def _judge(self, s: Floats, evidence: Floats, step: Floats) -> Floats:
        """The refractory rule, and the caution that holds the rate of alarms at the one asked for."""
        tuning = self.settings.tuning
        asked = self.settings.false_alarms / DAY_S
        s[C.CAUTION] = np.maximum(s[C.CAUTION] - tuning.caution * asked * step, tuning.caution_least)
        rested = (s[C.ALARM] == 0) | (s[C.ALARM_AGE] > tuning.refractory_s)
        score = np.where(rested | (evidence >= tuning.escalation * s[C.ALARM]), evidence, 0.0)
        alarm = score >= 1
        s[C.ALARM_AGE] = np.where(alarm, 0.0, s[C.ALARM_AGE])
        s[C.ALARM] = np.where(alarm, score, s[C.ALARM])
        s[C.CAUTION] = np.where(alarm, s[C.CAUTION] + tuning.caution, s[C.CAUTION])
        return score


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
