"""The critical path: the spans of a trace without which it would have ended sooner."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pea.watch.cause_columns import TraceColumns

Flags = npt.NDArray[np.bool_]


def on_path(columns: TraceColumns) -> Flags:
    """Whether each span is on its trace's critical path.

    As in Jaeger's critical path, a span waits for the child that ends last, before that for the child that ended last
    when this one began, and so on; children that ran beside these did not delay it. Roots are on the path.
    """
    rows, parent = len(columns), columns.parent
    child = np.flatnonzero(parent >= 0)
    above = parent[child]
    begin = np.maximum(columns.start[child] - columns.start[above], 0)
    end = np.minimum(columns.start[child] + columns.duration[child] - columns.start[above], columns.duration[above])
    order = np.lexsort((begin, above))
    child, above, begin, end = child[order], above[order], begin[order], end[order]
    same = above[1:] == above[:-1]
    overlaps = np.zeros(len(child), bool)
    overlaps[1:] = same & (begin[1:] < end[:-1])
    # Children in a row, the usual case, are all waited for; only among those that overlap is there a choice.
    waited = np.ones(rows, bool)
    waited[child[end < begin]] = False
    for one in np.unique(above[overlaps]).tolist():
        first, last = np.searchsorted(above, (one, one + 1)).tolist()
        waited[child[first:last]] = False
        chosen = _waited_for(begin[first:last].tolist(), end[first:last].tolist())
        waited[child[first:last][chosen]] = True
    path: Flags = waited
    up = np.where(parent < 0, np.arange(rows), parent)
    for _ in range(rows.bit_length()):  # twice as far up each time: a trace may be one long chain
        path = path & path[up]
        up = up[up]
    return path


def _waited_for(begin: list[int], end: list[int]) -> list[int]:
    """Which of the overlapping children of one span it waited for, from its end backwards."""
    chosen = []
    until = max(end)
    for at in sorted(range(len(begin)), key=lambda at: (-end[at], begin[at])):
        if end[at] <= until and end[at] >= begin[at]:
            chosen.append(at)
            until = begin[at]
    return chosen
