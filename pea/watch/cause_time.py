"""Where the added time comes from: places that take longer by themselves than in the windows before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pea.watch.cause_bounds import slower
from pea.watch.cause_evidence import Evidence, Sign, by_ends
from pea.watch.cause_profile import Edge, Profile, Timing

_NOTHING = Timing(0, 0, 0, 0)
_SHARE_POWER = 0.25  # a place with a hundredth of the added time counts a third of one with all of it
_LEAST_SHARE = 0.0001


def added_shares(after: Profile, before: Profile) -> dict[Edge, float]:
    """Each edge's share of what critical paths have more of its self time than before; 0 is left out."""
    added: dict[Edge, float] = {}
    for edge, timing in after.timings.items():
        then = before.timings.get(edge, _NOTHING).critical_ns / max(before.traces, 1)
        more = timing.critical_ns / max(after.traces, 1) - then
        if more > 0:
            added[edge] = more
    total = sum(added.values())
    return {edge: more / total for edge, more in added.items()}


def time_evidence(
    after: Profile, before: Sequence[Profile], shares: Mapping[Edge, float], tails: Mapping[Edge, float]
) -> list[Evidence]:
    """Who became slower, on average or in its tail, weighted by the fourth root of the share of added time.

    A ratio alone blames what is quick and unsteady, a share alone what is busy.
    """
    sizes: dict[Edge, float] = {}
    counts: dict[Edge, float] = {}
    for edge, timing in after.timings.items():
        known = [one.timings[edge] for one in before if edge in one.timings]
        if timing.spans < 2 or sum(one.spans for one in known) < 2:
            continue
        weight = (shares.get(edge, 0.0) + _LEAST_SHARE) ** _SHARE_POWER
        sizes[edge] = max(slower(timing, known), tails.get(edge, 0.0)) * weight
        counts[edge] = timing.spans
    return by_ends(sizes, counts, Sign.SLOWER, Sign.ANSWERS_LATE)
