"""How long a response takes and how likely it succeeds, by simulating its actions through the hands of their owners.

Durations are beta-PERT (least, usual, most; Malcolm et al., Operations Research 7, 1959; shape 4), as is the time to
reach each owner. An owner does one thing at a time, in the playbook's order, and an action begins when all that it
waits for is done. Draws come from a fixed seed: the same situation gives the same figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
import numpy as np
from numpy.typing import NDArray

from pea.agents._crisis_views import Estimate, Holder, Lever, PlannedAction
from pea.workspace.playbooks import Action, Playbook, minutes

DRAWS = 2_000
SEED = 20_260_512
AT_HAND = (0, 1, 2)
WORTH = 0.02  # a lever that raises the chance by less is not told
METHOD = (
    f"{DRAWS:,} simulated runs: beta-PERT durations (least, usual, most), each owner reached by their own clock and "
    "doing one thing at a time; in time is the share of runs in which every critical action is done before the limit; "
    "success is that times the playbook's own chance that its actions are enough"
)  # fmt: skip

Draws = NDArray[np.float64]


class Plan(msgspec.Struct, frozen=True):
    """The actions with their times, and the estimate made of the same runs."""

    actions: tuple[PlannedAction, ...]
    estimate: Estimate


def plan(playbook: Playbook, holders: Mapping[str, Holder], at: datetime, passed_minutes: float = 0.0) -> Plan:
    """Put the actions into time from ``at``; ``passed_minutes`` of the limit are gone already."""
    actions = playbook.order()
    limit = minutes(playbook.contain_within)
    reach = {role: holder.reach for role, holder in holders.items()}
    owners = {one.role: _owner(holders.get(one.role)) for one in actions}
    starts, ends = _runs(actions, owners, reach)
    contained = _contained(actions, ends)
    in_time = float(np.mean(contained + passed_minutes <= limit))
    low, middle, high = (float(one) for one in np.quantile(contained, (0.1, 0.5, 0.9)))
    planned = tuple(
        PlannedAction(
            id=one.id,
            what=one.what,
            role=one.role,
            owner=owners[one.role],
            starts=at + timedelta(minutes=round(float(starts[n].mean()))),
            ends=at + timedelta(minutes=round(float(ends[n].mean()))),
            late=at + timedelta(minutes=round(float(np.quantile(ends[n], 0.9)))),
            after=one.after,
            critical=one.critical,
        )
        for n, one in enumerate(actions)
    )
    estimate = Estimate(
        minutes=round(middle, 1),
        low_minutes=round(low, 1),
        high_minutes=round(high, 1),
        limit_minutes=limit,
        in_time=round(in_time, 3),
        works=playbook.works,
        success=round(in_time * playbook.works, 3),
        levers=_levers(playbook, actions, owners, reach, limit - passed_minutes, in_time),
        method=METHOD,
    )
    return Plan(planned, estimate)


def pert(rng: np.random.Generator, least: float, usual: float, most: float, count: int = DRAWS) -> Draws:
    """Draws of a beta-PERT distribution: mean (least + 4 usual + most) / 6."""
    if most <= least:
        return np.full(count, float(least))
    alpha = 1 + 4 * (usual - least) / (most - least)
    beta = 1 + 4 * (most - usual) / (most - least)
    return least + (most - least) * rng.beta(alpha, beta, count)


def _runs(
    actions: Sequence[Action], owners: Mapping[str, str], reach: Mapping[str, tuple[int, int, int]]
) -> tuple[list[Draws], list[Draws]]:
    """When each action begins and ends in each run, in minutes from now."""
    rng = np.random.default_rng(SEED)
    durations = [pert(rng, *one.minutes) for one in actions]
    free: dict[str, Draws] = {}
    for role, owner in owners.items():
        if owner not in free:
            free[owner] = pert(rng, *reach.get(role, AT_HAND))
    done: dict[str, Draws] = {}
    starts, ends = list[Draws](), list[Draws]()
    for one, took in zip(actions, durations, strict=True):
        begins = free[owners[one.role]]
        for before in one.after:
            begins = np.maximum(begins, done[before])
        finished = begins + took
        free[owners[one.role]] = done[one.id] = finished
        starts.append(begins)
        ends.append(finished)
    return starts, ends


def _contained(actions: Sequence[Action], ends: Sequence[Draws]) -> Draws:
    """When the last critical action ends in each run; of a playbook without any, the last of all."""
    critical = [end for one, end in zip(actions, ends, strict=True) if one.critical] or list(ends)
    latest: Draws = np.max(np.stack(critical), axis=0)
    return latest


def _levers(
    playbook: Playbook,
    actions: Sequence[Action],
    owners: Mapping[str, str],
    reach: Mapping[str, tuple[int, int, int]],
    left: float,
    in_time: float,
) -> tuple[Lever, ...]:
    """What raises the chance most: everybody at hand, or each action in hands of its own."""

    def chance(by: Mapping[str, str], within: Mapping[str, tuple[int, int, int]]) -> float:
        _, ends = _runs(actions, by, within)
        return float(np.mean(_contained(actions, ends) <= left))

    at_hand = dict.fromkeys(reach, AT_HAND)
    by_role = {role: f"{role} itself" for role in owners}
    tried = (
        ("everybody is reached at once", chance(owners, at_hand)),
        ("each role has somebody of its own", chance(by_role, reach)),
        ("both", chance(by_role, at_hand)),
    )
    found = [Lever(what, round(share * playbook.works, 3)) for what, share in tried if share > in_time + WORTH]
    return tuple(sorted(found, key=lambda one: -one.success))


def _owner(holder: Holder | None) -> str:
    return holder.person if holder is not None and holder.person else "you"
