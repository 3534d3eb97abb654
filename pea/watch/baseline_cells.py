"""Where a quantity has been, as counts on a grid that grows with its range, and how far a value is from there.

The distance is a soft one to the κ nearest visits. With N(d) the visits within d cells of the value,

    distance = width of a cell · Σ_{d = 0}^{REACH} max(0, 1 - N(d) / κ)

that is 0 where κ visits have been, and d cells where the nearest κ lie d cells away: the distance to the k-th
neighbour of Ramaswamy, Rastogi and Shim (2000), "Efficient algorithms for mining outliers from large data sets",
on counts, so that memory and time do not grow with the history.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

CELLS = 240
REACH = 64  # in cells: a quarter of the range is as far as far goes
UNIT = 8  # a visit in a cell of one byte; 255 is some 32 visits
FULL = 255
FIRST_WIDTH = 1e-3  # of the first value
LEAST_WIDTH = 1e-9
OFF_EDGE = 0.382  # of a cell: a value that comes back exactly must not lie on an edge
FADED = 0.8825  # e^(-1/8), after every eighth of the time that counts are kept

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Which = Rows | slice

_RINGS = tuple(np.arange(first, past) for first, past in ((1, 3), (3, 9), (9, 25), (25, REACH + 1)))


class Grids(msgspec.Struct, frozen=True):
    """One view's grids: counts ``(series, CELLS)``, where each begins, and how wide its cells are (0: not begun)."""

    counts: Bytes
    low: Floats
    width: Floats


def first_grid(values: Floats) -> tuple[Floats, Floats]:
    """Where the grids of new quantities begin, and how wide their cells are."""
    width = np.maximum(np.abs(values) * FIRST_WIDTH, LEAST_WIDTH)
    return values - width * (CELLS / 2 + OFF_EDGE), width


def locate(grids: Grids, rows: Rows, which: Which, values: Floats) -> Rows:
    """The cell of each value on its row's grid; a grid that is too small is first doubled, in place.

    ``which`` is ``rows`` again, or the slice that is the same rows without a copy.
    """
    position = (values - grids.low[which]) / grids.width[which]
    if position.min() < 0 or position.max() >= CELLS:
        _grow(grids, rows, values, position)
    return position.astype(np.intp)


def visit(counts: Bytes, places: Rows, visits: Rows | int) -> None:
    """Count visits at ``places`` in the flat array of all counts, each row once."""
    flat = counts.reshape(-1)
    flat[places] = np.minimum(flat.take(places) + np.asarray(visits * UNIT, np.uint16), FULL)


def distance(counts: Bytes, rows: Rows, cells: Rows, enough: Floats) -> Floats:
    """How far each cell is from ``enough`` visits, in cells; looked for in rings, as most find them near."""
    kappa = enough * UNIT
    own = counts.reshape(-1).take(rows * CELLS + cells)
    found = np.zeros(len(rows))
    left = np.flatnonzero(own < kappa)
    if not len(left):
        return found
    within, rows, cells, kappa = own[left].astype(np.float64), rows[left], cells[left], kappa[left]
    far = 1 - within / kappa
    at = np.arange(len(left))
    for ring in _RINGS:
        sums = within[at, None] + np.cumsum(_beside(counts, rows[at], cells[at], ring), axis=1)
        far[at] += np.maximum(0.0, 1 - sums / kappa[at, None]).sum(axis=1)
        within[at] = sums[:, -1]
        at = at[sums[:, -1] < kappa[at]]
        if not len(at):
            break
    found[left] = far
    return found


def fade(counts: Bytes, rows: Rows) -> None:
    """Let an eighth of the time that counts are kept pass."""
    counts[rows] = (counts[rows] * np.float32(FADED)).astype(np.uint8)


def _grow(grids: Grids, rows: Rows, values: Floats, position: Floats) -> None:
    """Double the grids whose position lies outside until none does."""
    np.floor(position, out=position)
    counts, low, width = grids.counts, grids.low, grids.width
    outside = np.flatnonzero((position < 0) | (position >= CELLS))
    while len(outside):
        grown = rows[outside]
        below = position[outside] < 0
        held = counts[grown].reshape(-1, CELLS // 2, 2).sum(axis=2, dtype=np.uint16)
        fresh = np.zeros((len(grown), 2, CELLS // 2), np.uint8)
        fresh[np.arange(len(grown)), below.astype(np.intp)] = np.minimum(held, FULL)
        counts[grown] = fresh.reshape(-1, CELLS)
        low[grown] -= np.where(below, width[grown] * CELLS, 0.0)
        width[grown] *= 2
        position[outside] = np.floor((values[outside] - low[grown]) / width[grown])
        still = (position[outside] < 0) | (position[outside] >= CELLS)
        outside = outside[still]


def _beside(counts: Bytes, rows: Rows, cells: Rows, ring: Rows) -> Floats:
    """Counts at each distance of the ring to both sides; outside of the grid there are none."""
    flat = counts.reshape(-1)
    starts = (rows * CELLS)[:, None]
    up, down = cells[:, None] + ring, cells[:, None] - ring
    above = flat.take(starts + np.minimum(up, CELLS - 1)) * (up < CELLS)
    below = flat.take(starts + np.maximum(down, 0)) * (down >= 0)
    found: Floats = above.astype(np.float64) + below
    return found
