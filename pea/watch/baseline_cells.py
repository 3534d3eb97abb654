"""Where a quantity has been, as counts on a grid that grows with its range, and how far a value is from there.

The distance is a soft one to the κ nearest visits. With N(d) the visits within d cells of the value,

    distance = width of a cell · Σ_{d = 0}^{REACH} max(0, 1 - N(d) / κ)

that is 0 where κ visits have been, and d cells where the nearest κ lie d cells away: the distance to the k-th
neighbour of Ramaswamy, Rastogi and Shim (2000), "Efficient algorithms for mining outliers from large data sets",
on counts, so that memory and time do not grow with the history.
"""

from __future__ import annotations

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

_RINGS = tuple(np.arange(first, past) for first, past in ((1, 3), (3, 9), (9, 25), (25, REACH + 1)))


def first_grid(values: Floats) -> tuple[Floats, Floats]:
    """Where the grids of new quantities begin, and how wide their cells are."""
    width = np.maximum(np.abs(values) * FIRST_WIDTH, LEAST_WIDTH)
    return values - width * (CELLS / 2 + OFF_EDGE), width


def locate(counts: Bytes, low: Floats, width: Floats, rows: Rows, values: Floats) -> Rows:
    """The cell of each value on its row's grid; a grid that is too small is first doubled, in place."""
    position = np.floor((values - low[rows]) / width[rows])
    outside = np.flatnonzero((position < 0) | (position >= CELLS))
    while len(outside):
        grown = rows[outside]
        below = position[outside] < 0
        held = counts[grown].reshape(-1, CELLS // 2, 2).sum(axis=2, dtype=np.uint16)
        pairs = np.minimum(held, FULL).astype(np.uint8)
        fresh = np.zeros((len(grown), 2, CELLS // 2), np.uint8)
        fresh[np.arange(len(grown)), below.astype(np.intp)] = pairs
        counts[grown] = fresh.reshape(-1, CELLS)
        low[grown] -= np.where(below, width[grown] * CELLS, 0.0)
        width[grown] *= 2
        position[outside] = np.floor((values[outside] - low[grown]) / width[grown])
        still = (position[outside] < 0) | (position[outside] >= CELLS)
        outside = outside[still]
    return position.astype(np.intp)


def visit(counts: Bytes, rows: Rows, cells: Rows, visits: Floats) -> None:
    """Count visits, each row once."""
    counts[rows, cells] = np.minimum(counts[rows, cells] + visits * UNIT, FULL).astype(np.uint8)


def distance(counts: Bytes, rows: Rows, cells: Rows, enough: Floats) -> Floats:
    """How far each cell is from ``enough`` visits, in cells; looked for in rings, as most find them near."""
    kappa = enough * UNIT
    within = counts[rows, cells].astype(np.float64)
    found = np.maximum(0.0, 1 - within / kappa)
    left = np.flatnonzero(found > 0)
    for ring in _RINGS:
        if not len(left):
            break
        sums = within[left, None] + np.cumsum(_beside(counts, rows[left], cells[left], ring), axis=1)
        found[left] += np.maximum(0.0, 1 - sums / kappa[left, None]).sum(axis=1)
        within[left] = sums[:, -1]
        left = left[sums[:, -1] < kappa[left]]
    return found


def fade(counts: Bytes, rows: Rows) -> None:
    """Let an eighth of the time that counts are kept pass."""
    counts[rows] = (counts[rows] * np.float32(FADED)).astype(np.uint8)


def _beside(counts: Bytes, rows: Rows, cells: Rows, ring: Rows) -> Floats:
    """Counts at each distance of the ring to both sides; outside of the grid there are none."""
    flat = counts.reshape(-1)
    starts = (rows * CELLS)[:, None]
    up, down = cells[:, None] + ring, cells[:, None] - ring
    above = flat[starts + np.minimum(up, CELLS - 1)] * (up < CELLS)
    below = flat[starts + np.maximum(down, 0)] * (down >= 0)
    found: Floats = above.astype(np.float64) + below
    return found
