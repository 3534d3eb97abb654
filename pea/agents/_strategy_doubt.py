"""How much an alignment depends on the weights that were given to goals, worked out in a worker process."""

from __future__ import annotations

import msgspec

from pea import isolated

DRAWS = 4_000
SPREAD = 0.3
SEED = 20_260_512


class Found(msgspec.Struct, frozen=True):
    """Alignments at each goal's weight lower and higher, over all draws (low, middle, high), and who lacks most."""

    swings: dict[str, tuple[float, float]]
    low: float
    high: float
    lacks: dict[str, float]


@isolated(timeout="20s")
def doubt(names: list[str], spent: list[float], wanted: list[float], draws: int = DRAWS) -> Found:
    """Move each weight by 30 % down and up, the others as they are (a tornado); then all at once, log-normally.

    ``spent`` and ``wanted`` are hours a week, as ``names`` are ordered. A draw multiplies each by exp(N(0, 0.3)).
    """
    import numpy as np
    from numpy.typing import NDArray

    had = np.asarray(spent, dtype=float)
    want = np.asarray(wanted, dtype=float)
    had_share = had / had.sum()

    def aligned(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        share = weights / weights.sum(axis=-1, keepdims=True)
        result: NDArray[np.float64] = 1 - np.abs(had_share - share).sum(axis=-1) / 2
        return result

    swings = {}
    for place, name in enumerate(names):
        moved = np.stack([want, want])
        moved[0, place] *= 1 - SPREAD
        moved[1, place] *= 1 + SPREAD
        lower, higher = aligned(moved)
        swings[name] = (round(float(lower), 4), round(float(higher), 4))
    rng = np.random.default_rng(SEED)
    drawn = want * np.exp(rng.normal(0.0, SPREAD, (draws, len(names))))
    every = aligned(drawn)
    lacking = (drawn / drawn.sum(axis=1, keepdims=True) - had_share).argmax(axis=1)
    counts = np.bincount(lacking, minlength=len(names)) / draws
    low, high = np.quantile(every, (0.1, 0.9))
    lacks = {name: round(float(counts[place]), 4) for place, name in enumerate(names)}
    return Found(swings, round(float(low), 4), round(float(high), 4), lacks)
