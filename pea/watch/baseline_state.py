"""The figures that are kept for each series, as arrays with one entry per series, to be saved, moved and grown."""

from __future__ import annotations

import enum
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pea.errors import ConfigError
from pea.watch import baseline_cells as cells
from pea.watch import baseline_season as season
from pea.watch.baseline import TRACKS, Row

SLOTS = 8  # of a mean on its way to be history: a power of two
FORMAT = "pea-baselines-4"
HEADER = 32

Floats = NDArray[np.float64]


class Column(enum.IntEnum):
    """Single figures; times in seconds."""

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
    ALARMS = 23  # how many there were, those long ago counting less
    BIN = 24
    LASTING = 25  # how unusual it was of late, and usually
    HABIT = 26


C: Final = Column


class State:
    """The arrays of ``count`` series; tracks are views with a grid of their own, first index of what they have."""

    def __init__(self, count: int) -> None:
        tracks = len(TRACKS)
        self.count = count
        self.columns = np.zeros((len(Column), count))
        self.mean = np.zeros((tracks, count))
        self.low = np.zeros((tracks, count))
        self.width = np.zeros((tracks, count))  # 0: the track has not begun
        self.counts = np.zeros((tracks, count, cells.CELLS), np.uint8)
        self.waiting = np.zeros((tracks, count, SLOTS), np.float32)
        self.pushed = np.zeros((tracks, count), np.uint8)  # slots filled so far, held below 2 · SLOTS
        self.since = np.zeros((tracks, count), np.uint16)  # points since the last slot
        self.profile = np.full((season.BINS, count), np.nan, np.float32)

    def arrays(self) -> tuple[NDArray[np.generic], ...]:
        """All of them, in the order in which they are saved."""
        return (
            self.columns,
            self.mean,
            self.low,
            self.width,
            self.counts,
            self.waiting,
            self.pushed,
            self.since,
            self.profile,
        )

    @property
    def nbytes(self) -> int:
        """Memory of all arrays."""
        return sum(array.nbytes for array in self.arrays())

    def grown(self, count: int) -> State:
        """The same series with room for more behind them."""
        made = State(count)
        for new, old in zip(made.arrays(), self.arrays(), strict=True):
            new[:, : self.count] = old
        return made

    def grids(self, track: int) -> cells.Grids:
        """A track's grids."""
        return cells.Grids(self.counts[track], self.low[track], self.width[track])

    def save(self) -> bytes:
        """The arrays' bytes one after another, behind the layout they have."""
        return _header(self.count) + b"".join(one.tobytes() for one in self.arrays())

    def restore(self, state: bytes) -> None:
        """Go on from what was saved for as many series; ConfigError when it is something else."""
        sizes = [one.nbytes for one in self.arrays()]
        if state[:HEADER] != _header(self.count) or len(state) != HEADER + sum(sizes):
            raise ConfigError("the saved baselines are of another layout or count", fix="they are learned anew")
        start = HEADER
        for array, size in zip(self.arrays(), sizes, strict=True):
            array[...] = np.frombuffer(state, array.dtype, array.size, start).reshape(array.shape)
            start += size

    def take(self, row: int) -> Row:
        """One series."""
        return Row(
            columns=self.columns[:, row].tolist(),
            mean=self.mean[:, row].tolist(),
            low=self.low[:, row].tolist(),
            width=self.width[:, row].tolist(),
            counts=[one.tobytes() for one in self.counts[:, row]],
            waiting=[one.tobytes() for one in self.waiting[:, row]],
            pushed=self.pushed[:, row].tolist(),
            since=self.since[:, row].tolist(),
            profile=self.profile[:, row].tobytes(),
        )

    def put(self, row: int, held: Row) -> None:
        """Make ``held`` that of a series; what was there is forgotten."""
        for array, one in (
            (self.columns, held.columns),
            (self.mean, held.mean),
            (self.low, held.low),
            (self.width, held.width),
            (self.pushed, held.pushed),
            (self.since, held.since),
        ):
            array[:, row] = one
        self.counts[:, row] = [np.frombuffer(one, np.uint8) for one in held.counts]
        self.waiting[:, row] = [np.frombuffer(one, np.float32) for one in held.waiting]
        self.profile[:, row] = np.frombuffer(held.profile, np.float32)

    def clear(self, row: int) -> None:
        """Make a series one that has never begun."""
        for array in self.arrays():
            array[:, row] = 0
        self.profile[:, row] = np.nan


def _header(count: int) -> bytes:
    return msgspec.msgpack.encode([FORMAT, count]).ljust(HEADER, b"\0")
