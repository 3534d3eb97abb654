"""How many spans of a place are now slower than its slow ones used to be: what an average over many does not show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pea.watch.cause_bounds import LEAST, changed
from pea.watch.cause_columns import Ints
from pea.watch.cause_profile import FLOOR_NS, Edge, Measured

QUANTILE = 0.95  # beyond it a span was slow before
BEYOND = 2.0  # times that much: the rim of a sample is uncertain itself
ERRORS = 1.0  # standard errors that are taken off
TRUST = 0.3  # beside a change of the average: a few outliers are soon together
_FEW = 5  # spans before, below which there is no tail


def tails(windows: Sequence[Measured], breach: Measured) -> dict[Edge, float]:
    """For each edge the cautious log ratio of the frequency of slow spans, where that rose.

    A span is slow beyond `BEYOND` times the `QUANTILE` of the edge's self times in all windows before.
    """
    number = {edge: at for at, edge in enumerate(breach.edges)}
    edge, self_ns = _past(windows, number)
    order = np.lexsort((self_ns, edge))
    edge, self_ns = edge[order], self_ns[order]
    known, first, count = np.unique(edge, return_index=True, return_counts=True)
    rank = np.ceil(QUANTILE * count).astype(np.int64) - 1
    limit = np.full(len(number), np.inf)
    limit[known] = (self_ns[first + rank] + FLOOR_NS) * BEYOND - FLOOR_NS

    was = np.bincount(edge, weights=self_ns > limit[edge], minlength=len(number))
    among_before = np.bincount(edge, minlength=len(number))
    now = np.bincount(breach.edge, weights=breach.self_ns > limit[breach.edge], minlength=len(number))
    among = np.bincount(breach.edge, minlength=len(number))
    found = {}
    for one, at in number.items():
        if among_before[at] >= _FEW and now[at]:
            size = changed(now[at], among[at], was[at], among_before[at], errors=ERRORS) - LEAST
            if size > 0:
                found[one] = TRUST * float(size)
    return found


def _past(windows: Sequence[Measured], number: dict[Edge, int]) -> tuple[Ints, Ints]:
    """The spans before, as numbers of the breach's edges and self times; those of other edges are left out."""
    edges, times = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for window in windows:
        into = np.array([number.get(edge, -1) for edge in window.edges], np.int64)
        edge = into[window.edge]
        edges.append(edge[edge >= 0])
        times.append(window.self_ns[edge >= 0])
    return np.concatenate(edges), np.concatenate(times)
