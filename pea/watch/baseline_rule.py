"""Baselines at work for rules: each rule's series learn a value now and then, and an alarm opens an incident.

An incident is open from its alarm until the values are back where they were expected when it opened, or have been where
they are for so long that this is normal now, for as long as the rule's `clear` says; only then can the next one open.
A baseline by itself gets used to things within minutes: that would resolve an alert while the fault goes on. What is
learned survives a restart (`Learners.save`), and a change of rules that leaves a rule alone.
"""

from __future__ import annotations

import hashlib
import logging
import struct
from collections.abc import Iterable, Iterator, Mapping

import msgspec
import numpy as np

from pea.errors import ConfigError
from pea.watch.baseline import DAY_S, Settings, View
from pea.watch.baseline_many import Baselines
from pea.watch.rule import Rule, as_written
from pea.watch.signals import Quantity, signal

MAX_SERIES = 2_000  # of one rule
COURSE = 60  # values kept to be drawn
GONE_S = 21 * DAY_S  # a series that has sent nothing for so long is forgotten
VERSION = 1
PAIR = struct.Struct("<dd")  # a time and a value
ABOUT: Mapping[View, str] = {
    View.VALUE: "a value where it has not been",
    View.SHORT: "its mean of the last hour is where it has not been",
    View.LONG: "its mean of the last hours is where it has not been",
    View.SEASON: "not usual for this time of the day or week",
    View.SPREAD: "it moves more, or less, than it used to",
    View.FLAT: "it stands still, and never did for so long",
}

BANDED = frozenset({View.VALUE, View.SHORT, View.LONG, View.SEASON})  # where being out of the band is what is wrong

Labels = tuple[str, ...]

_log = logging.getLogger(__name__)


class Course(msgspec.Struct, frozen=True):
    """What a series did of late and what was expected of it, to be drawn: times in seconds since 1970.

    ``view`` is the side from which it is unusual, and ``about`` says that in words.
    """

    view: str
    about: str
    at: tuple[float, ...]
    values: tuple[float, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]

    @property
    def band(self) -> tuple[float, float] | None:
        """What was expected at the last value."""
        low, high = (self.low[-1], self.high[-1]) if self.at else (None, None)
        return None if low is None or high is None else (low, high)


class Verdict(msgspec.Struct, frozen=True):
    """What a baseline says of a series' last value; ``wrong`` and ``over`` are None where it had none."""

    value: float
    wrong: bool | None
    over: bool | None
    evidence: dict[str, float]
    course: Course | None = None


class _Series(msgspec.Struct):
    """One series: its row, its last values, and the incident that is open, with the band that was expected then."""

    row: int
    seen_s: float
    opened_s: float | None = None
    band: tuple[float, float] | None = None
    calm_s: float | None = None  # since when nothing is unusual
    recent: bytes = b""  # of `PAIR`, packed: lists of floats would be several times the baseline itself


class _Saved(msgspec.Struct):
    """A learner as it is written down."""

    count: int
    series: dict[str, _Series]
    state: bytes
    left_s: float | None = None  # when its rule was no longer in use


class _SavedAll(msgspec.Struct):
    version: int
    learners: dict[str, _Saved]


class Learner:
    """The series of one rule."""

    def __init__(self, rule: Rule) -> None:
        asked = rule.baseline
        if asked is None:
            raise ValueError(f"{rule.name} learns nothing")
        watched = signal(rule.signal)
        self.overflowed = 0
        overlap_s = float(rule.window) if watched.of_spans or watched.quantity is Quantity.INCREASE else 0.0
        self._settings = Settings(float(asked.false_alarms), float(asked.learn), asked.direction, overlap_s)
        self._every_s = float(asked.every)
        self._clear_s = float(rule.clear.for_)
        self._next_s = -np.inf
        self._baselines = Baselines(0, self._settings)
        self._series: dict[Labels, _Series] = {}
        self._free: list[int] = []
        self._verdicts: dict[Labels, Verdict] = {}

    @property
    def series(self) -> int:
        """How many are known."""
        return len(self._series)

    def due(self, now_s: float) -> bool:
        """Whether it is time for the next values; a clock that was set back does not stop that."""
        return now_s >= self._next_s or now_s < self._next_s - 2 * self._every_s

    def learn(self, now_s: float, values: Mapping[Labels, float]) -> None:
        """Take one value of each series, NaN for those without; past MAX_SERIES new ones are counted and left out."""
        self._next_s = (now_s // self._every_s + 1) * self._every_s
        told = [labels for labels in values if np.isfinite(values[labels])]
        told = [labels for labels in told if self._row(labels, now_s) is not None]
        self._verdicts = {}
        if told:
            rows = [self._series[labels].row for labels in told]
            found = self._baselines.update(now_s, [values[labels] for labels in told], rows)
            judged = zip(found.score.tolist(), found.evidence.tolist(), found.view.tolist(), strict=True)
            for labels, (score, evidence, view) in zip(told, judged, strict=True):
                self._verdicts[labels] = self._judge(labels, values[labels], score, evidence, View(view), now_s)
        for labels in values.keys() - self._verdicts.keys():
            self._verdicts[labels] = Verdict(float("nan"), None, None, {})
        self._forget(now_s)

    def verdicts(self) -> Iterator[tuple[Labels, Verdict]]:
        """What was said last of each series."""
        return iter(self._verdicts.items())

    def saved(self) -> _Saved:
        """To be written down."""
        named = {_key(labels): one for labels, one in self._series.items()}
        return _Saved(self._baselines.count, named, self._baselines.save())

    def restore(self, saved: _Saved) -> None:
        """Go on from there; ConfigError when it does not fit together."""
        rows = [one.row for one in saved.series.values()]
        whole = all(len(one.recent) % PAIR.size == 0 for one in saved.series.values())
        if (
            not whole
            or len(set(rows)) != len(rows)
            or not 0 <= saved.count <= 2 * MAX_SERIES
            or any(not 0 <= row < saved.count for row in rows)
        ):
            raise ConfigError("the saved baselines do not fit together", fix="they are learned anew")
        baselines = Baselines(saved.count, self._settings)
        baselines.restore(saved.state)
        self._baselines = baselines
        self._series = {_labels(key): one for key, one in saved.series.items()}
        self._free = sorted(set(range(saved.count)) - set(rows), reverse=True)

    def _row(self, labels: Labels, now_s: float) -> int | None:
        held = self._series.get(labels)
        if held is None:
            if len(self._series) >= MAX_SERIES:
                self.overflowed += 1
                return None
            if not self._free:
                count = self._baselines.count
                self._baselines.grow(max(2 * count, 8))
                self._free = list(range(self._baselines.count - 1, count - 1, -1))
            held = self._series[labels] = _Series(self._free.pop(), now_s)
        held.seen_s = now_s
        return held.row

    def _judge(self, labels: Labels, value: float, score: float, evidence: float, view: View, now_s: float) -> Verdict:
        held = self._series[labels]
        held.recent = (held.recent + PAIR.pack(now_s, value))[-COURSE * PAIR.size :]
        course = None
        if score >= 1 and held.opened_s is None:
            course = self._course(held, view)
            held.opened_s, held.band = now_s, course.band if view in BANDED else None
        unusual = evidence >= 1 or self._strayed(held, value, now_s)
        if unusual:
            held.calm_s = None
        elif held.calm_s is None:
            held.calm_s = now_s
        if held.opened_s is None or not unusual:
            if held.calm_s is not None and now_s - held.calm_s >= self._clear_s:
                held.opened_s = held.band = None
            return Verdict(value, False, not unusual, {})
        course = course or self._course(held, view)
        found = {"score": evidence}
        if (band := held.band or course.band) is not None:
            found |= {"expected_low": band[0], "expected_high": band[1]}
        return Verdict(value, True, False, found, course)

    def _strayed(self, held: _Series, value: float, now_s: float) -> bool:
        """Whether the value is still out of the band of its incident, and not yet for so long that it is normal."""
        if held.band is None or held.opened_s is None:
            return False
        return not held.band[0] <= value <= held.band[1] and now_s - held.opened_s < self._settings.tuning.refractory_s

    def _course(self, held: _Series, view: View) -> Course:
        recent = list(PAIR.iter_unpack(held.recent))
        bands = [
            held.band if held.band and held.opened_s is not None and at >= held.opened_s else self._expected(held, at)
            for at, _ in recent
        ]
        return Course(
            view=view.name.lower(),
            about=ABOUT[view],
            at=tuple(at for at, _ in recent),
            values=tuple(value for _, value in recent),
            low=tuple(band and band[0] for band in bands),
            high=tuple(band and band[1] for band in bands),
        )

    def _expected(self, held: _Series, at: float) -> tuple[float, float] | None:
        return self._baselines.expected(held.row, at)

    def _forget(self, now_s: float) -> None:
        for labels in [labels for labels, one in self._series.items() if now_s - one.seen_s > GONE_S]:
            row = self._series.pop(labels).row
            self._baselines.forget(row)
            self._free.append(row)


class Learners:
    """The learners of all rules that have a baseline."""

    def __init__(self) -> None:
        self._held: dict[str, Learner] = {}
        self._saved: dict[str, _Saved] = {}

    def of(self, rule: Rule) -> Learner:
        """The rule's, made or restored when it is first asked for."""
        key = signature(rule)
        held = self._held.get(key)
        if held is None:
            held = self._held[key] = Learner(rule)
            saved = self._saved.pop(key, None)
            if saved is not None:
                try:
                    held.restore(saved)
                except ConfigError as error:
                    _log.warning("the baselines of %s begin anew: %s", rule.name, error)
        return held

    @property
    def overflowed(self) -> int:
        """Values left out because there were too many series."""
        return sum(one.overflowed for one in self._held.values())

    def keep_only(self, rules: Iterable[Rule], now_s: float) -> None:
        """Put aside what was learned for other rules than these: they may come back, within three weeks."""
        keys = {signature(rule) for rule in rules if rule.baseline is not None}
        for key in self._held.keys() - keys:
            self._saved[key] = self._held.pop(key).saved()
        for key, one in list(self._saved.items()):
            if key in keys:
                one.left_s = None
            elif one.left_s is None:
                one.left_s = now_s
            elif now_s - one.left_s > GONE_S:
                del self._saved[key]

    def save(self) -> bytes:
        """All that was learned; empty when there is nothing."""
        learners = {**self._saved, **{key: one.saved() for key, one in self._held.items()}}
        return msgspec.msgpack.encode(_SavedAll(VERSION, learners)) if learners else b""

    def restore(self, data: bytes) -> None:
        """Take up what was saved, rule by rule as they are asked for; ValueError when it cannot be read."""
        found = msgspec.msgpack.decode(data, type=_SavedAll)
        if found.version != VERSION:
            raise ValueError(f"it has version {found.version}")
        self._saved = found.learners


def signature(rule: Rule) -> str:
    """The same while a rule's series and what is learned of them stay the same: 16 hex digits."""
    watched = (rule.name, rule.signal, rule.by, rule.where, rule.window, rule.min_samples, rule.baseline)
    text = msgspec.json.encode(watched, enc_hook=as_written, order="sorted")
    return hashlib.sha256(text).hexdigest()[:16]


def _key(labels: Labels) -> str:
    return msgspec.json.encode(labels).decode()


def _labels(key: str) -> Labels:
    return msgspec.json.decode(key, type=tuple[str, ...])
