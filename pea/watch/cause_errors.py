"""Where errors begin: spans that failed though none of their children did, more often than before."""

from __future__ import annotations

import math
from collections.abc import Mapping

from pea.watch.cause_bounds import LEAST, RARE
from pea.watch.cause_evidence import Evidence, Sign, by_ends
from pea.watch.cause_profile import Edge, Profile, Visits

_NEVER = Visits(0, 0, 0)
_DOUBT = 4  # added failures at which half of the change is believed: errors come in bursts


def error_shares(after: Profile, before: Profile) -> dict[Edge, float]:
    """Each edge's share of the first failures that a trace has more than before."""
    added = {}
    for edge, visits in after.failures.items():
        then = before.failures.get(edge, _NEVER)
        more = visits.failed / max(after.traces, 1) - then.failed / max(before.traces, 1)
        if more > 0:
            added[edge] = more
    total = sum(added.values())
    return {edge: more / total for edge, more in added.items()}


def error_evidence(after: Profile, before: Profile, shares: Mapping[Edge, float]) -> list[Evidence]:
    """Who fails: the log ratio of how often a span is a first failure, weighted by what it adds to all failures.

    Frequencies are damped by `RARE`, so an edge that is new is compared with hardly ever having failed. The weights
    are the square root of the share of added failures, and k / (k + `_DOUBT`) for k failures more than expected.
    """
    sizes: dict[Edge, float] = {}
    counts: dict[Edge, float] = {}
    for edge, visits in after.failures.items():
        then = before.failures.get(edge, _NEVER)
        usual = then.failed / max(then.spans, 1)
        more = visits.failed - visits.spans * usual
        size = 0.0
        if more > 0:
            ratio = math.log((visits.failed / visits.spans + RARE) / (usual + RARE))
            size = max(ratio - LEAST, 0.0) * more / (more + _DOUBT)
        sizes[edge] = size * shares.get(edge, 0.0) ** 0.5
        counts[edge] = visits.spans
    return by_ends(sizes, counts, Sign.FAILS, Sign.FAILS)
