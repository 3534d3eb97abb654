"""Where errors begin: spans that failed though none of their children did, more often than before."""

from __future__ import annotations

from pea.watch.cause_bounds import LEAST, changed
from pea.watch.cause_evidence import Evidence, Sign, by_ends
from pea.watch.cause_profile import Edge, Profile, Visits

_NEVER = Visits(0, 0, 0)


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


def error_evidence(after: Profile, before: Profile, shares: dict[Edge, float]) -> list[Evidence]:
    """Who fails: the cautious log ratio of how often a span is a first failure, weighted by what it adds to all.

    The weight is the square root of the share of added failures. An edge that is new is compared with never having
    failed.
    """
    sizes, counts = {}, {}
    for edge, visits in after.failures.items():
        then = before.failures.get(edge, _NEVER)
        if not then.spans:
            then = Visits(visits.spans, 0, 0)
        size = changed(visits.failed, visits.spans, then.failed, then.spans) - LEAST
        sizes[edge] = max(size, 0.0) * shares.get(edge, 0.0) ** 0.5
        counts[edge] = visits.spans
    return by_ends(sizes, counts, Sign.FAILS, Sign.FAILS)
