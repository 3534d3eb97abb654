"""What is normal for a series is learned from the series: how unusual a value is needs no threshold of the user's.

Every value is seen from several sides: itself, its short and its long mean (`View.VALUE`, `SHORT`, `LONG`), what is
left of it when the time of day and of week is taken away (`SEASON`), how much it moves (`SPREAD`), and for how long it
did not (`FLAT`). Each side keeps counts of where it has been on a grid of its own, and is unusual by how far it is from
there (see `pea.watch.baseline_cells`), as a part of the range remembered.

`Baselines` holds many series and updates them together; `pea.watch.baseline_one.Baseline` holds one, in plain floats,
gives the same figures and takes over from the other through `save` and `restore`.
"""

from __future__ import annotations

import enum
import math
from typing import Literal

import msgspec

DAY_S = 86_400.0
WEEK_S = 7 * DAY_S
LARGEST = 1e36  # larger values are taken for this one: they and their differences fit in a float of four bytes


class View(enum.IntEnum):
    """The side from which a value is unusual."""

    VALUE = 0
    SHORT = 1
    LONG = 2
    SEASON = 3
    SPREAD = 4
    FLAT = 5


TRACKS = (View.VALUE, View.SHORT, View.LONG, View.SEASON, View.SPREAD)
"""The views with a grid of their own."""


class Tuning(msgspec.Struct, frozen=True):
    """Constants fitted once for all series (``pea bench baseline`` scores them); spans in seconds.

    Spans are in time rather than in points: measured, that is what makes one choice fit points of a minute and of an
    hour (with spans in points the same detector lost a third of its score on the second set).
    These reach 75.9 on the Numenta benchmark and 58.5 on cloud monitoring with one threshold; parameters that were
    drawn at random and chosen on one half of its files reach about 72 on the other: expect at most that of new
    series, since the method itself was settled with all files in sight.
    """

    short_s: float = 4_666.0
    long_s: float = 15_520.0
    spread_s: float = 26_150.0
    weights: tuple[float, float, float] = (1.0, 2.3, 1.214)  # of value, short and long mean
    novelty: float = 0.01944  # this weighted distance, as a part of the range, is an alarm
    season: float = 0.04591  # the same, of what is left of the value without its season
    spread: float = 0.4489
    flat: float = 6.0  # times the longest that the series has been flat before
    refractory_s: float = 41_570.0  # for so long only something `escalation` times as unusual is news
    escalation: float = 3.636
    range_s: float = 557_500.0  # in which the range remembered shrinks to 1/e
    stretch: float = 0.2034  # of the way to a value beyond it does the range go: one outlier must not hide the next
    ramp: float = 50.52  # points after which evidence counts half: one of n values is a new extreme by chance 2 / n
    lasting: float = 1.089  # the mean of what was unusual of late adds to what is: a leak is never far from itself …
    lasting_s: float = 4_761.0
    lasting_most: float = 3.929  # … where one spike counts as so many alarms at most …
    habit: float = 1.418  # … and what is unusual all the time is how the series is
    habit_s: float = 180_200.0
    counts_s: float = 6_890_000.0  # in which counts of visits do
    lag: float = 0.09359  # a mean counts as history after this part of its span: what is under way is not yet normal
    enough: float = 0.1345  # visits nearby that make a value normal
    enough_share: float = 0.0001809  # and this share of all visits on top
    smoothing: float = 1.9  # a mean over w points weighs the newest by smoothing / (w + smoothing - 1)
    season_gain: float = 0.2149  # of a week's value in the profile
    season_proof: float = 0.2  # the season counts when it forecasts better than the level by this part
    caution: float = 0.4716  # the threshold follows the rate of alarms, as a part of the one asked for, to this power …
    caution_prior: float = 17.1  # … which is thought to be right until as many have told otherwise …
    caution_least: float = -0.1352  # … and silence lowers it by no more (in logarithm)
    caution_start: float = 0.4359  # it is higher by this for each factor e that is asked for below one a day


class Row(msgspec.Struct, frozen=True):
    """The whole state of one series, to be moved: a list has one entry for each column or track."""

    columns: list[float]
    mean: list[float]
    low: list[float]
    width: list[float]
    counts: list[bytes]
    waiting: list[bytes]
    pushed: list[int]
    since: list[int]
    profile: bytes


Direction = Literal["both", "up", "down"]


class Settings(msgspec.Struct, frozen=True):
    """``false_alarms`` a day and series are asked for; none are given in the first ``learn_s`` seconds.

    With a ``direction`` only what is above, or below, the usual level counts. Values that are made from windows as long
    as ``overlap_s`` share samples: those within it are not yet history, or a fault would seem usual as it fills them.
    """

    false_alarms: float = 1.0
    learn_s: float = DAY_S
    direction: Direction = "both"
    overlap_s: float = 0.0
    tuning: Tuning = Tuning()

    @property
    def first_caution(self) -> float:
        """What the threshold of a new series is raised by, in logarithm."""
        return max(-self.tuning.caution_start * math.log(self.false_alarms), self.tuning.caution_least)

    @property
    def asked_s(self) -> float:
        """False alarms asked for, a second."""
        return self.false_alarms / DAY_S
