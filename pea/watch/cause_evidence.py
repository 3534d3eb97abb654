"""A sign that an owner is to blame, and the rule by which a bad call is blamed on one of its two ends."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import msgspec

from pea.watch.cause_bounds import lower_median
from pea.watch.cause_columns import Owner, Place
from pea.watch.cause_profile import Edge


class Sign(Enum):
    """What changed; the value completes the sentence "X …" in an explanation."""

    SLOWER = "takes longer by itself"
    ANSWERS_LATE = "takes longer to reach, whoever calls it"
    CALLS_SLOWLY = "is slow in its calls to all that it calls"
    STOPS = "goes no further after this"
    DOES_NOTHING = "returns without doing what it used to"
    RARER = "is called less often in proportion"
    MORE_OFTEN = "is called more often in proportion"
    CALLS_LESS = "calls less of everything that it calls"
    CALLS_MORE = "calls more of everything that it calls"
    FAILS = "fails by itself"
    HOLDS = "takes the most time"
    TAKES = "takes time too"


class Evidence(msgspec.Struct, frozen=True):
    """``size`` (a cautious log ratio, above 0) speaks against ``owner``, seen at ``edge``."""

    owner: Owner
    edge: Edge
    size: float
    sign: Sign

    @property
    def place(self) -> Place:
        """The place to name: where calls arrive if the callee is blamed, else where they are made."""
        callee = self.edge.callee
        return callee if callee is not None and callee.owner == self.owner else self.edge.place


def by_ends(sizes: Mapping[Edge, float], counts: Mapping[Edge, float], here: Sign, late: Sign) -> list[Evidence]:
    """Blame what happened inside a place on it, and what happened between two on one of them.

    If x(u, v) is the change of calls from u to v, the caller has the lower median of x(u, ·) over those it calls, for
    whoever is slow towards all is slow himself; where it calls only one, what happened inside it stands for another.
    The callee has the mean, weighted by calls, of what is then left of x(·, v). It is one step of Tukey's median polish
    (Exploratory Data Analysis, 1977, chapter 11) on the table of callers and callees, from the callers' side.
    """
    found: list[Evidence] = []
    best: dict[tuple[Owner, Owner], tuple[float, Edge]] = {}
    calls: dict[tuple[Owner, Owner], float] = {}
    for edge, size in sizes.items():
        if edge.callee is None or edge.callee.owner == edge.place.owner:
            if size > 0:
                found.append(Evidence(edge.place.owner, edge, size, here))
            continue
        pair = (edge.place.owner, edge.callee.owner)
        calls[pair] = calls.get(pair, 0.0) + counts[edge]
        if pair not in best or size > best[pair][0]:
            best[pair] = size, edge
    callers: dict[Owner, list[Owner]] = {}
    callees: dict[Owner, list[Owner]] = {}
    for caller, callee in best:
        callers.setdefault(callee, []).append(caller)
        callees.setdefault(caller, []).append(callee)
    inside = {one.owner: one.size for one in sorted(found, key=lambda one: one.size)}
    own: dict[Owner, float] = {}
    for caller, reached in callees.items():
        everywhere = [best[caller, callee] for callee in reached]
        changes = [size for size, _ in everywhere]
        own[caller] = lower_median(changes if len(changes) > 1 else [*changes, inside.get(caller, 0.0)])
        if own[caller] > 0:
            worst = max(everywhere, key=lambda one: one[0])[1]
            found.append(Evidence(caller, worst, own[caller], Sign.CALLS_SLOWLY if late is Sign.ANSWERS_LATE else here))
    for callee, reaching in callers.items():
        left = {caller: best[caller, callee][0] - own[caller] for caller in reaching}
        weight = sum(calls[caller, callee] for caller in reaching)
        mean = sum(left[caller] * calls[caller, callee] for caller in reaching) / weight
        if mean > 0:
            worst = best[max(left, key=lambda caller: left[caller]), callee][1]
            found.append(Evidence(callee, worst, mean, late))
    return found
