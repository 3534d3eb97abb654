"""The likely causes of an alert: its traces beside those before it, ranked by what speaks against whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from pea.watch.cause_columns import Owner, Place, TraceColumns
from pea.watch.cause_details import Attribute, ErrorType, added_error_types, telling_attributes
from pea.watch.cause_errors import error_evidence, error_shares
from pea.watch.cause_evidence import Evidence, Sign
from pea.watch.cause_flow import flow_evidence
from pea.watch.cause_profile import Edge, Measured, Profile, measure, pooled
from pea.watch.cause_tails import tails
from pea.watch.cause_time import added_shares, time_evidence

MAX_CAUSES = 10
EXEMPLARS = 5
SLIGHT = 0.01  # of all time, or of all failures, where there is no past

Kind: TypeAlias = Literal["latency", "errors"]


class Weights(msgspec.Struct, frozen=True):
    """How much each sort of evidence counts."""

    time: float
    flow: float
    errors: float


# Whoever fails is usually why a request failed, slowness only its possible reason; and the reverse.
WEIGHTS: Mapping[Kind, Weights] = {
    "latency": Weights(time=1.0, flow=0.7, errors=0.5),
    "errors": Weights(time=0.25, flow=0.5, errors=2.0),
}


class Figures(msgspec.Struct, frozen=True):
    """A place in a window: median self time in ms, calls per trace, share of calls that were a first failure."""

    calls: int
    self_ms: float
    rate: float
    error_ratio: float


class Cause(msgspec.Struct, frozen=True):
    """Somebody to blame, and why.

    ``place`` is where it shows most; ``caller`` whose calls to it show it, when it is seen from there. ``score`` only
    ranks. ``share`` is the owner's part of the time (for errors: of the failures) that traces have more than before;
    of all of it when nothing of them was seen before (not ``compared``).
    """

    place: Place
    caller: Place | None
    sign: Sign
    score: float
    share: float
    before: Figures
    after: Figures
    exemplars: tuple[int | str, ...]
    errors: tuple[ErrorType, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    compared: bool = True


def rank_causes(
    before: TraceColumns | Sequence[TraceColumns],
    breach: TraceColumns,
    kind: Kind = "latency",
    *,
    limit: int = MAX_CAUSES,
) -> list[Cause]:
    """Who most likely caused the breach, one cause for each agent or service, the likeliest first.

    ``before`` is one window or, better, several: four or more show how much times drift by themselves. Sizes of a
    window may differ; it is best to compare windows of the same kind of trace. Deterministic: equal scores are
    ordered by name. Empty when nothing changed. When nothing of the breach was seen before, as after a
    start, whoever holds most of the critical paths, or of the failures, comes first.
    """
    windows = [measure(one) for one in ([before] if isinstance(before, TraceColumns) else before)]
    return rank_measured(windows, measure(breach), kind, limit=limit)


def rank_measured(windows: Sequence[Measured], breach: Measured, kind: Kind, *, limit: int = MAX_CAUSES) -> list[Cause]:
    """As `rank_causes`, for windows that were measured already (`measure`)."""
    past = pooled(one.profile for one in windows)
    if not breach.profile.traces:
        return []
    if past.timings.keys().isdisjoint(breach.profile.timings):
        return _without_before(breach, kind, limit)
    shares = added_shares(breach.profile, past)
    failing = error_shares(breach.profile, past)
    against = _evidence(windows, past, breach, kind, shares, failing)
    blamed: dict[Owner, list[tuple[float, Evidence]]] = {}
    for size, evidence in against:
        blamed.setdefault(evidence.owner, []).append((size, evidence))
    scores = {owner: _score(found) for owner, found in blamed.items()}
    parts = _by_owner(failing if kind == "errors" else shares)
    order = sorted((owner for owner in scores if scores[owner] > 0), key=lambda owner: (-scores[owner], owner))
    causes = []
    for owner in order[:limit]:
        main = max(blamed[owner], key=lambda one: one[0])[1]
        causes.append(_cause(main, scores[owner], parts.get(owner, 0.0), windows, breach, kind))
    return causes


def _without_before(breach: Measured, kind: Kind, limit: int) -> list[Cause]:
    """Nothing to compare with: starts of agents and the like at most, which say nothing of this work."""
    shares = (error_shares if kind == "errors" else added_shares)(breach.profile, pooled(()))
    parts = _by_owner(shares)
    causes: list[Cause] = []
    for owner in sorted(parts, key=lambda owner: (-parts[owner], owner))[:limit]:
        if causes and parts[owner] < SLIGHT:
            break
        edge = max((one for one in shares if one.blamed == owner), key=lambda one: shares[one])
        sign = Sign.FAILS if kind == "errors" else Sign.TAKES if causes else Sign.HOLDS
        evidence = Evidence(owner, edge, parts[owner], sign)
        cause = _cause(evidence, parts[owner], parts[owner], [], breach, kind)
        causes.append(msgspec.structs.replace(cause, compared=False))
    return causes


def _evidence(
    windows: Sequence[Measured],
    past: Profile,
    breach: Measured,
    kind: Kind,
    shares: Mapping[Edge, float],
    failing: Mapping[Edge, float],
) -> list[tuple[float, Evidence]]:
    weights, now = WEIGHTS[kind], breach.profile
    slow = time_evidence(now, [one.profile for one in windows], shares, tails(windows, breach))
    return [
        (weight * one.size, one)
        for weight, found in (
            (weights.time, slow),
            (weights.flow, flow_evidence(now, past)),
            (weights.errors, error_evidence(now, past, failing)),
        )
        for one in found
    ]


_TIME = frozenset((Sign.SLOWER, Sign.ANSWERS_LATE, Sign.CALLS_SLOWLY))


def _score(found: Iterable[tuple[float, Evidence]]) -> float:
    """The strongest sign of slowness plus the strongest of any other: further ones are mostly echoes of these."""
    slow = [size for size, one in found if one.sign in _TIME]
    other = [size for size, one in found if one.sign not in _TIME]
    return max(slow, default=0.0) + max(other, default=0.0)


def _by_owner(shares: Mapping[Edge, float]) -> dict[Owner, float]:
    parts: dict[Owner, float] = {}
    for edge, share in shares.items():
        parts[edge.blamed] = parts.get(edge.blamed, 0.0) + share
    return parts


def _cause(
    main: Evidence, score: float, share: float, windows: Sequence[Measured], breach: Measured, kind: Kind
) -> Cause:
    edge, place = main.edge, main.place
    here = _rows(breach, edge)
    there = [_rows(window, edge) for window in windows]
    by_error = main.sign is Sign.FAILS or kind == "errors"
    return Cause(
        place=place,
        caller=edge.place if place != edge.place else None,
        sign=main.sign,
        score=round(score, 4),
        share=round(share, 4),
        before=_figures(windows, there),
        after=_figures([breach], [here]),
        exemplars=_exemplars(breach, here, by_error=by_error),
        errors=added_error_types(windows, there, breach, here),
        attributes=telling_attributes(windows, there, breach, here, by_error=by_error),
    )


def _rows(window: Measured, edge: Edge) -> npt.NDArray[np.int64]:
    """The spans of an edge; those of its place where the flow, not a call, is what changed."""
    wanted = [at for at, one in enumerate(window.edges) if one == edge]
    if not wanted:
        wanted = [at for at, one in enumerate(window.edges) if one.place == edge.place and edge.callee is None]
    return np.flatnonzero(np.isin(window.edge, wanted))


def _figures(windows: Sequence[Measured], rows: Sequence[npt.NDArray[np.int64]]) -> Figures:
    if not windows:
        return Figures(calls=0, self_ms=0.0, rate=0.0, error_ratio=0.0)
    times = np.concatenate([window.self_ns[at] for window, at in zip(windows, rows, strict=True)])
    failed = sum(int(window.first_failed[at].sum()) for window, at in zip(windows, rows, strict=True))
    traces = sum(len(window.columns.trace_ids) for window in windows)
    return Figures(
        calls=len(times),
        self_ms=round(float(np.median(times)) / 1e6, 4) if len(times) else 0.0,
        rate=round(len(times) / traces, 4) if traces else 0.0,
        error_ratio=round(failed / len(times), 4) if len(times) else 0.0,
    )


def _exemplars(breach: Measured, rows: npt.NDArray[np.int64], *, by_error: bool) -> tuple[int | str, ...]:
    """Traces that show it best: failures first where errors are meant, then the longest self times."""
    failed = breach.first_failed[rows] if by_error else np.zeros(len(rows), np.int64)
    order = rows[np.lexsort((rows, -breach.self_ns[rows], -failed))]
    ids = breach.columns.trace_ids
    return tuple(dict.fromkeys(ids[at] for at in breach.columns.trace[order[: 20 * EXEMPLARS]].tolist()))[:EXEMPLARS]
