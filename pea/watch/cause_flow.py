"""Where the flow of work changed: who stops after which call, who returns at once, who calls what more or less often.

An exception, a wrong answer or an early return shows here even where no span says that it failed.
"""

from __future__ import annotations

from pea.watch.cause_bounds import LEAST, changed, lower_median
from pea.watch.cause_columns import Owner, Place
from pea.watch.cause_evidence import Evidence, Sign
from pea.watch.cause_profile import Calls, Edge, Profile, Step, Visits

_NOT_SEEN = Calls(0, 0)
_NEVER = Visits(0, 0, 0)
_FEW = 3  # spans of a parent, below which its children are not compared
_HALF_TRUST = 0.7  # of a stop after a call whose ends both look sound: the callee's part


def flow_evidence(after: Profile, before: Profile) -> list[Evidence]:
    """All signs of a changed flow; ``before`` is the pooled reference."""
    stops = _stops(after, before)
    idle = _idle(after, before)
    return [*_blame_idle(idle), *_blame_stops(stops, idle, before), *_blame_rates(after, before)]


def _stops(after: Profile, before: Profile) -> dict[Step, float]:
    """How much more often a child is its parent's last: after it the flow of work stops."""
    found = {}
    for step, calls in after.steps.items():
        then = before.steps.get(step, _NOT_SEEN)
        size = changed(calls.last, calls.spans, then.last, then.spans) - LEAST
        if size > 0:
            found[step] = size
    return found


def _idle(after: Profile, before: Profile) -> dict[Place, float]:
    """How much more often a place has no children: the flow stops before it began."""
    found = {}
    for place, visits in after.visits.items():
        then = before.visits.get(place, _NEVER)
        size = changed(visits.childless, visits.spans, then.childless, then.spans) - LEAST
        if size > 0:
            found[place] = size
    return found


def _blame_idle(idle: dict[Place, float]) -> list[Evidence]:
    return [Evidence(place.owner, Edge(place), size, Sign.DOES_NOTHING) for place, size in idle.items()]


def _blame_stops(stops: dict[Step, float], idle: dict[Place, float], before: Profile) -> list[Evidence]:
    """The deepest stop counts: one that has another below it is only its echo.

    A stop after a call to another owner is the callee's when several callers stop there, or when nothing is known of
    its inside. Otherwise the callee did all that it always does, and the caller is blamed first.
    """
    stopped = {parent for parent, _ in stops} | set(idle)
    stopped_owners = {place.owner for place in stopped}
    open_owners = {parent.owner for parent, _ in before.steps}
    found: list[Evidence] = []
    into: dict[Owner, dict[Owner, tuple[float, Step]]] = {}
    for step, size in stops.items():
        parent, child = step
        if child.place in stopped or (child.blamed != parent.owner and child.blamed in stopped_owners):
            continue
        if child.blamed == parent.owner:
            found.append(Evidence(parent.owner, Edge(parent), size, Sign.STOPS))
            continue
        callers = into.setdefault(child.blamed, {})
        if parent.owner not in callers or size > callers[parent.owner][0]:
            callers[parent.owner] = size, step
    for callee, callers in into.items():
        size, (parent, child) = max(callers.values(), key=lambda one: one[0])
        if len(callers) > 1 or callee not in open_owners:
            found.append(Evidence(callee, child, size, Sign.STOPS))
        else:
            found.append(Evidence(parent.owner, Edge(parent), size, Sign.STOPS))
            found.append(Evidence(callee, child, _HALF_TRUST * size, Sign.STOPS))
    return found


def _blame_rates(after: Profile, before: Profile) -> list[Evidence]:
    """Children per parent, more or fewer than before.

    What all of a parent's callees have in common is the parent's own (as in `by_ends`). One kind of call that rises
    while another to the same owner falls is another mix of input: only the net part of the change counts, unless the
    call was never seen before.
    """
    found: list[Evidence] = []
    for parent, by_owner in _children(after, before).items():
        among, among_before = after.visits[parent].spans, before.visits[parent].spans
        changes: dict[Owner, tuple[float, Edge]] = {}
        for owner, children in by_owner.items():
            moved = {child: now.spans / among - then.spans / among_before for child, (now, then) in children.items()}
            gross = sum(map(abs, moved.values()))
            net = abs(sum(moved.values())) / gross if gross else 0.0
            changes[owner] = max(
                (
                    ((net if then.spans else 1.0) * changed(now.spans, among, then.spans, among_before), child)
                    for child, (now, then) in children.items()
                ),
                key=lambda one: abs(one[0]),
            )
        found += _blame_changes(parent, changes)
    return found


def _blame_changes(parent: Place, changes: dict[Owner, tuple[float, Edge]]) -> list[Evidence]:
    others = [size for owner, (size, _) in changes.items() if owner != parent.owner]
    common = 0.0
    if len(others) > 1:
        common = lower_median(others) if sum(others) >= 0 else -lower_median([-size for size in others])
    found = []
    if abs(common) > LEAST:
        sign = Sign.CALLS_LESS if common < 0 else Sign.CALLS_MORE
        found.append(Evidence(parent.owner, Edge(parent), abs(common) - LEAST, sign))
    for owner, (size, child) in changes.items():
        left = size if owner == parent.owner else size - common
        if abs(left) > LEAST:
            found.append(Evidence(owner, child, abs(left) - LEAST, Sign.RARER if left < 0 else Sign.MORE_OFTEN))
    return found


def _children(after: Profile, before: Profile) -> dict[Place, dict[Owner, dict[Edge, tuple[Calls, Calls]]]]:
    """By parent and the owner blamed, each kind of child: its calls after and before."""
    table: dict[Place, dict[Owner, dict[Edge, tuple[Calls, Calls]]]] = {
        place: {}
        for place, visits in after.visits.items()
        if min(visits.spans, before.visits.get(place, _NEVER).spans) >= _FEW
    }
    for step in {**before.steps, **after.steps}:  # not a set: ties must fall the same way in every process
        by_owner = table.get(step[0])
        if by_owner is not None:
            both = after.steps.get(step, _NOT_SEEN), before.steps.get(step, _NOT_SEEN)
            by_owner.setdefault(step[1].blamed, {})[step[1]] = both
    return table
