"""One series learned in plain floats: the figures of `Baselines`, at a tenth of numpy's cost for a single value.

What depends on the usual interval only is worked out when that changes, and comparisons stand where `min` and `max`
would: a call costs as much as the arithmetic of a view.
"""

from __future__ import annotations

import math
from array import array

import msgspec

from pea.watch import baseline_cells as cells
from pea.watch import baseline_season as season
from pea.watch.baseline import DAY_S, LARGEST, TRACKS, WEEK_S, Row, Settings, View
from pea.watch.baseline_many import (
    ERROR_S,
    FADES,
    FLAT_CHANGES,
    FLAT_POINTS,
    LEVEL_S,
    LONGEST_STEP,
    RIPE,
    SEASON_LEAST,
    SEASONS_SEEN,
    SPANS,
    Baselines,
)
from pea.watch.baseline_state import SLOTS, Column

_FADE = bytes(int(cells.FADED * count) for count in range(256))


# Places in the list of figures as plain numbers: an enum's cost a call each.
(
    _LAST,
    _CLOCK,
    _INTERVAL,
    _POINTS,
    _VISITS,
    _FADED,
    _LOW,
    _HIGH,
    _SEASON_LOW,
    _SEASON_HIGH,
    _SPREAD_LOW,
    _SPREAD_HIGH,
    _LEVEL,
    _LEVEL_ERROR,
    _DAY_ERROR,
    _WEEK_ERROR,
    _IN_BIN,
    _PREVIOUS,
    _STILL,
    _STILL_MOST,
    _CHANGES,
    _ALARM_AGE,
    _ALARM,
    _ALARMS,
    _BIN,
    _LASTING,
    _HABIT,
) = range(27)


class Reading(msgspec.Struct, frozen=True):
    """From a ``score`` of 1 an alarm; ``evidence`` is the score before the refractory rule, ``view`` the side."""

    score: float
    evidence: float
    view: View
    above: bool


NOTHING = Reading(0.0, 0.0, View.VALUE, above=False)


class _Track:
    """One view's grid, and the mean on its way there."""

    __slots__ = ("counts", "every", "gain", "low", "mean", "pushed", "ripe_s", "since", "slots", "waiting", "width")

    def __init__(self) -> None:
        self.counts = bytearray(cells.CELLS)
        self.low = self.width = self.mean = self.gain = self.ripe_s = 0.0
        self.pushed = self.since = self.every = self.slots = 0
        self.waiting = array("f", bytes(4 * SLOTS))

    def fit(self, span_s: float, lag: float, smoothing: float, step: float, overlap_s: float) -> None:
        """Take over the usual interval: what a span is in points."""
        if self.slots and not span_s and not overlap_s:
            return  # a value by itself takes one point whatever a point is
        self.ripe_s = RIPE * span_s
        points = max(span_s / step, 1.0)
        self.gain = min(1.0, smoothing / (points + smoothing - 1)) if span_s else 0.0  # 0: the value itself
        behind = max(points * lag, overlap_s / step)
        self.every = max(round(behind / SLOTS), 1)
        self.slots = min(max(round(behind / self.every), 1), SLOTS)

    def begin(self, x: float) -> None:
        self.mean = x
        self.width = max(abs(x) * cells.FIRST_WIDTH, cells.LEAST_WIDTH)
        self.low = x - self.width * (cells.CELLS / 2 + cells.OFF_EDGE)

    def learn(self, x: float, spread: float, enough: float, clock: float) -> float:
        """How far the mean is from where it has been, as a part of ``spread``; it is on its way to be history then."""
        gain = self.gain
        self.mean = mean = self.mean + gain * (x - self.mean) if gain else x
        pushed = self.pushed
        found = 0.0
        if pushed >= SLOTS and spread > 0 and clock > self.ripe_s:
            position = (mean - self.low) / self.width
            cell = (
                int(position) if 0 <= position < cells.CELLS else self._locate(mean)
            )  # a call would cost as much again
            kappa = enough * cells.UNIT
            own = self.counts[cell]
            if own < kappa:
                found = min(_distance(self.counts, cell, own, kappa) * self.width / spread, 1.0)
        self.since += 1
        every = self.every
        if self.since >= every + (pushed & 1 if every > 1 else 0):
            if pushed >= self.slots:
                then = self.waiting[(pushed - self.slots) % SLOTS]
                position = (then - self.low) / self.width
                cell = int(position) if 0 <= position < cells.CELLS else self._locate(then)
                visits = self.counts[cell] + every * cells.UNIT
                self.counts[cell] = visits if visits < cells.FULL else cells.FULL
            self.waiting[pushed % SLOTS] = mean
            self.pushed = pushed + 1 if pushed + 1 < 2 * SLOTS else pushed + 1 - SLOTS
            self.since = 0
        return found

    def _locate(self, x: float) -> int:
        position = (x - self.low) / self.width
        while not 0 <= position < cells.CELLS:
            held = self.counts
            pairs = bytes(min(a + b, cells.FULL) for a, b in zip(held[::2], held[1::2], strict=True))
            if position < 0:
                self.counts = bytearray(cells.CELLS // 2) + pairs
                self.low -= self.width * cells.CELLS
            else:
                self.counts = bytearray(pairs) + bytearray(cells.CELLS // 2)
            self.width *= 2
            position = (x - self.low) / self.width
        return int(position)


def _distance(counts: bytearray, cell: int, within: int, kappa: float) -> float:
    """The soft distance of `pea.watch.baseline_cells`, in cells."""
    found = 1 - within / kappa
    for away in range(1, cells.REACH + 1):
        if cell >= away:
            within += counts[cell - away]
        if cell + away < cells.CELLS:
            within += counts[cell + away]
        if within >= kappa:
            break
        found += 1 - within / kappa
    return found


class Baseline:
    """What is normal for one series."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self._s = [0.0] * len(Column)
        self._tracks = [_Track() for _ in TRACKS]
        self._profile = array("f", [math.nan] * season.BINS)
        self._other, self._other_sum = -1, 0.0  # the bin beside the present one, and its sum over the days
        self._first_caution = self.settings.first_caution
        self._fit(1.0)
        self._step = 0.0

    def update(self, at: float, value: float) -> Reading:
        """Learn one value that came ``at`` seconds since the epoch; one that is not finite is missing."""
        if not math.isfinite(value):
            return NOTHING
        x = min(max(value, -LARGEST), LARGEST)
        s, tuning = self._s, self.settings.tuning
        if not s[_POINTS]:
            s[_LEVEL] = s[_LOW] = s[_HIGH] = s[_PREVIOUS] = x
            s[_LAST] = at
        step = self._pass_time(at)
        left, proof = self._without_season(at, x)
        shrink = self._shrink
        spread = _stretch(s, _LOW, x, shrink, tuning.stretch)
        enough = tuning.enough + tuning.enough_share * s[_VISITS]
        value_track, short, long, seasonal, moving = self._tracks
        if not value_track.width:
            for track in (value_track, short, long):
                track.begin(x)
        w0, w1, w2 = tuning.weights
        clock = s[_CLOCK]
        far0 = w0 * value_track.learn(x, spread, enough, clock)
        far1 = w1 * short.learn(x, spread, enough, clock)
        far2 = w2 * long.learn(x, spread, enough, clock)
        novelty = (far0 + far1 + far2) / ((w0 + w1 + w2) * tuning.novelty)
        season_score = 0.0
        if proof > tuning.season_proof:
            if not seasonal.width:
                seasonal.begin(left)
                s[_SEASON_LOW] = s[_SEASON_HIGH] = left
            least = SEASON_LEAST * spread
            season_score = seasonal.learn(
                left, max(_stretch(s, _SEASON_LOW, left, shrink, tuning.stretch), least), enough, clock
            )
            season_score *= proof**4 / tuning.season
        spread_score = self._spread(moving, abs(x - s[_PREVIOUS]), shrink, enough) / tuning.spread
        flat = self._flat(x, step)
        together = novelty + season_score + spread_score
        view = View.VALUE
        if together or flat:
            view = _view(novelty, season_score, spread_score, flat, (far0, far1, far2))
        above = x > s[_LEVEL]
        evidence = self._evidence(together, flat, above)
        score = self._judge(evidence)
        s[_PREVIOUS] = x
        return Reading(score, evidence, view, above)

    def save(self) -> bytes:
        """The state, as that of a `Baselines` of one."""
        many = Baselines(1, self.settings)
        many.put(0, self.row())
        return many.save()

    def restore(self, state: bytes) -> None:
        """Go on from what one `Baseline`, or a `Baselines` of one series, has saved."""
        many = Baselines(1, self.settings)
        many.restore(state)
        self.put(many.take(0))

    def row(self) -> Row:
        """The whole state."""
        tracks = self._tracks
        return Row(
            columns=list(self._s),
            mean=[track.mean for track in tracks],
            low=[track.low for track in tracks],
            width=[track.width for track in tracks],
            counts=[bytes(track.counts) for track in tracks],
            waiting=[track.waiting.tobytes() for track in tracks],
            pushed=[track.pushed for track in tracks],
            since=[track.since for track in tracks],
            profile=self._profile.tobytes(),
        )

    def put(self, state: Row) -> None:
        """Go on from ``state``."""
        self._s = list(state.columns)
        self._profile = array("f", state.profile)
        self._step = 0.0
        self._other, self._other_sum = -1, 0.0
        for place, track in enumerate(self._tracks):
            track.mean, track.low, track.width = state.mean[place], state.low[place], state.width[place]
            track.counts, track.waiting = bytearray(state.counts[place]), array("f", state.waiting[place])
            track.pushed, track.since = state.pushed[place], state.since[place]

    def _fit(self, step: float) -> None:
        tuning = self.settings.tuning
        for view, track in zip(TRACKS, self._tracks, strict=True):
            lag = 1.0 if view is View.SPREAD else tuning.lag
            track.fit(SPANS[view](tuning), lag, tuning.smoothing, step, self.settings.overlap_s)
        self._fresh = min(step / max(self.settings.overlap_s, 1e-9), 1.0)
        self._step = step
        self._shrink = min(step / tuning.range_s, 1.0) / 2
        self._kept = 1 - min(step / tuning.counts_s, 1.0)
        self._error_gain, self._level_gain = min(step / ERROR_S, 1.0), min(step / LEVEL_S, 1.0)
        self._lasting_gain, self._habit_gain = min(step / tuning.lasting_s, 1.0), min(step / tuning.habit_s, 1.0)
        self._part = min(step / season.BIN_S, 1.0)
        self._asked = self.settings.asked_s * step

    def _pass_time(self, at: float) -> float:
        s, counts_s = self._s, self.settings.tuning.counts_s
        forward = at - s[_LAST]
        if forward < 0:
            forward = 0.0
        usual = s[_INTERVAL]
        bounded = forward if not usual or forward < LONGEST_STEP * usual else LONGEST_STEP * usual
        if bounded > 0:
            known = s[_POINTS]
            gain = 0.02 if known > 50 else 1 / known if known > 1 else 1.0  # a fiftieth
            s[_INTERVAL] = usual = usual + gain * (bounded - usual)
        s[_LAST] = at
        s[_CLOCK] += forward
        s[_ALARM_AGE] += forward
        s[_STILL] += forward
        s[_POINTS] += 1
        step = usual if usual > 0 else 1.0
        if step != self._step:
            self._fit(step)
        s[_VISITS] = (s[_VISITS] + 1) * self._kept
        s[_ALARMS] *= self._kept
        s[_FADED] += step
        if s[_FADED] > counts_s / FADES:
            s[_FADED] = 0.0
            for track in self._tracks:
                track.counts = track.counts.translate(_FADE)
        return step

    def _without_season(self, at: float, x: float) -> tuple[float, float]:
        """What is left of the value, and by which part the season forecasts better than the level."""
        s, profile = self._s, self._profile
        position = at % WEEK_S / season.BIN_S
        place = int(position)
        if place == season.BINS:  # a time just before the week's end, rounded up
            place -= 1
        aside = position - place - 0.5
        beside, far = (1, aside) if aside > 0 else (-1, -aside)
        near = 1 - far
        other = (place + beside) % season.BINS
        weekly, then = profile[place], profile[other]
        if then == then:  # noqa: PLR0124  not NaN, without a call
            weekly = weekly * near + then * far
        day = season.DAY_BINS
        if other != self._other:
            self._other, self._other_sum = other, sum(profile[other % day :: day])
        daily = (sum(profile[place % day :: day]) * near + self._other_sum * far) / season.DAYS
        if daily != daily:  # noqa: PLR0124
            daily = _with_gaps(profile, place, beside, far)
        known = daily == daily  # noqa: PLR0124
        points = s[_POINTS]
        level_error = abs(x - s[_LEVEL])
        day_error = abs(x - daily) if known else level_error
        week_error = abs(x - weekly) if weekly == weekly else day_error  # noqa: PLR0124
        fresh = 1 / points
        gain = fresh if fresh > self._error_gain else self._error_gain
        s[_LEVEL_ERROR] += gain * (level_error - s[_LEVEL_ERROR])
        s[_DAY_ERROR] += gain * (day_error - s[_DAY_ERROR])
        s[_WEEK_ERROR] += gain * (week_error - s[_WEEK_ERROR])
        s[_LEVEL] += (fresh if fresh > self._level_gain else self._level_gain) * (x - s[_LEVEL])
        self._learn_season(x, place)
        if not known or s[_CLOCK] <= SEASONS_SEEN * DAY_S or not s[_LEVEL_ERROR] > 0:
            return 0.0, 0.0
        if s[_CLOCK] > SEASONS_SEEN * WEEK_S and weekly == weekly and s[_WEEK_ERROR] < s[_DAY_ERROR]:  # noqa: PLR0124
            return x - weekly, 1 - s[_WEEK_ERROR] / s[_LEVEL_ERROR]
        return x - daily, 1 - s[_DAY_ERROR] / s[_LEVEL_ERROR]

    def _learn_season(self, x: float, place: int) -> None:
        s = self._s
        s[_IN_BIN] = s[_IN_BIN] + 1 if s[_BIN] == place else 0.0
        s[_BIN] = place
        part = self._part
        held = self._profile[place]
        if held != held:  # noqa: PLR0124
            self._profile[place] = x
        else:
            gain, first = self.settings.tuning.season_gain * part, 1 / (1 + s[_CLOCK] // WEEK_S / part + s[_IN_BIN])
            self._profile[place] = held + (gain if gain > first else first) * (x - held)

    def _spread(self, moving: _Track, size: float, shrink: float, enough: float) -> float:
        s = self._s
        if not moving.width:
            moving.begin(size)
            s[_SPREAD_LOW] = s[_SPREAD_HIGH] = size
        mean = moving.mean + moving.gain * (size - moving.mean)
        return moving.learn(size, _stretch(s, _SPREAD_LOW, mean, shrink, 1.0), enough, s[_CLOCK])

    def _flat(self, x: float, step: float) -> float:
        s = self._s
        if x != s[_PREVIOUS]:
            s[_STILL_MOST] = max(s[_STILL_MOST], s[_STILL] - step)
            s[_CHANGES] += 1
            s[_STILL] = 0.0
        if s[_STILL] > FLAT_POINTS * step and s[_CHANGES] > FLAT_CHANGES * s[_POINTS]:
            return s[_STILL] / (max(s[_STILL_MOST], step) * self.settings.tuning.flat)
        return 0.0

    def _evidence(self, together: float, flat: float, above: bool) -> float:  # noqa: FBT001  hot path
        """What counts of it, for this direction and with so few values behind it."""
        s, settings = self._s, self.settings
        if settings.direction != "both" and above != (settings.direction == "up"):
            together = flat = 0.0
        together = self._lasting(together)
        if s[_CLOCK] <= settings.learn_s or not (together or flat):
            return 0.0
        proven, most = s[_POINTS] * self._fresh, together if together > flat else flat
        return most * (proven / (proven + settings.tuning.ramp)) * math.exp(-self._caution())

    def _caution(self) -> float:
        s, tuning, prior = self._s, self.settings.tuning, self.settings.tuning.caution_prior
        often = tuning.caution * math.log((s[_ALARMS] + prior) / (s[_VISITS] * self._asked + prior))
        return self._first_caution + (often if often > tuning.caution_least else tuning.caution_least)

    def _lasting(self, together: float) -> float:
        """What is unusual now, raised by what was so of late and lowered by what always is."""
        s, tuning = self._s, self.settings.tuning
        lasting, habit = s[_LASTING], s[_HABIT]
        found = together - tuning.habit * habit
        if lasting > habit:
            found += tuning.lasting * (lasting - habit)
        held = together if together < tuning.lasting_most else tuning.lasting_most
        fresh, soon, late = 1 / s[_POINTS], self._lasting_gain, self._habit_gain
        s[_LASTING] = lasting + (fresh if fresh > soon else soon) * (held - lasting)
        s[_HABIT] = habit + (fresh if fresh > late else late) * (held - habit)
        return found if found > 0 else 0.0

    def _judge(self, evidence: float) -> float:
        s, tuning = self._s, self.settings.tuning
        rested = not s[_ALARM] or s[_ALARM_AGE] > tuning.refractory_s
        score = evidence if rested or evidence >= tuning.escalation * s[_ALARM] else 0.0
        if score >= 1:
            s[_ALARM_AGE] = 0.0
            s[_ALARM] = score
            s[_ALARMS] += 1
        return score


def _with_gaps(profile: array[float], place: int, beside: int, far: float) -> float:
    """The forecast of the day where some days are not known; NaN where none is."""
    known = []
    for bin_ in range(place % season.DAY_BINS, season.BINS, season.DAY_BINS):
        here, there = profile[bin_], profile[(bin_ + beside) % season.BINS]
        if here == here:  # noqa: PLR0124
            known.append(here if there != there else here * (1 - far) + there * far)  # noqa: PLR0124
    return sum(known) / len(known) if known else math.nan


def _view(novelty: float, seasonal: float, restless: float, flat: float, far: tuple[float, float, float]) -> View:
    """The side that says most."""
    if flat > novelty + seasonal + restless:
        return View.FLAT
    if seasonal > novelty and seasonal > restless:
        return View.SEASON
    if novelty < restless:
        return View.SPREAD
    value, short, long = far
    if value >= short and value >= long:
        return View.VALUE
    return View.SHORT if short >= long else View.LONG


def _stretch(s: list[float], low: int, x: float, shrink: float, part: float) -> float:
    """Let the range remembered shrink, go a part of the way to the value, and say how wide it is then."""
    lowest, highest = s[low], s[low + 1]
    slack = (highest - lowest) * shrink
    lowest, highest = lowest + slack, highest - slack
    if x > highest:
        highest += part * (x - highest)
    if x < lowest:
        lowest += part * (x - lowest)
    s[low], s[low + 1] = lowest, highest
    return highest - lowest
