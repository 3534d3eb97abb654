"""The life of an alert: inactive → pending → firing → resolved, as one table of transitions and one function.

An alert is one rule with one set of label values. Its times tell its whole life. What a reading does not say (None)
changes nothing: missing data neither fires nor resolves, until it has been missing for a day.
"""

from __future__ import annotations

import enum
import hashlib
import math
from collections.abc import Mapping
from typing import Any

import msgspec

from pea.watch.baseline_rule import Course
from pea.watch.present import amount, expected, fill
from pea.watch.reading import Reading
from pea.watch.rule import Rule, Severity

FORGOTTEN_AFTER_S = 86_400.0


class State(enum.StrEnum):
    """Where an alert stands."""

    INACTIVE = "inactive"  # all is well
    PENDING = "pending"  # wrong, but not yet for as long as the rule says
    FIRING = "firing"  # wrong for long enough: somebody is told
    RESOLVED = "resolved"  # over for as long as the rule says


class Sees(enum.Enum):
    """What a reading says to an alert."""

    WRONG = enum.auto()
    FINE = enum.auto()  # not wrong, and not past the clearing bound either
    OVER = enum.auto()
    NOTHING = enum.auto()


# What is held back by time (`for`, `clear.for`) is decided in `advance`: these are the moves that may happen at all.
MOVES: Mapping[tuple[State, Sees], State] = {
    (State.INACTIVE, Sees.WRONG): State.PENDING,
    (State.PENDING, Sees.WRONG): State.FIRING,
    (State.PENDING, Sees.FINE): State.INACTIVE,
    (State.PENDING, Sees.OVER): State.INACTIVE,
    (State.FIRING, Sees.OVER): State.RESOLVED,
    (State.RESOLVED, Sees.WRONG): State.PENDING,
}


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert. Times are seconds since 1970; ``since_s`` is when it went wrong by its samples.

    ``over_s`` is since when it looks over.

    ``cause`` is a ranked list of likely causes with ``explanation`` in words, once they have been found; ``course`` is
    what a learned baseline saw and expected.
    """

    id: str
    rule: str
    type: str
    severity: Severity
    labels: Mapping[str, str]
    state: State = State.INACTIVE
    message: str = ""
    value: float | None = None
    shown: str = ""
    threshold: str = ""
    since_s: float = 0.0
    fired_s: float | None = None
    over_s: float | None = None
    resolved_s: float | None = None
    seen_s: float = 0.0
    reason: str = ""
    runbook: str = ""
    evidence: Mapping[str, float] = {}
    exemplars: tuple[str, ...] = ()
    cause: tuple[Mapping[str, Any], ...] = ()
    explanation: str = ""
    course: Course | None = None

    @property
    def occurrence(self) -> str:
        """The alert and the moment it fired: what a receiver is told of once."""
        return f"{self.id}@{self.fired_s or 0:.3f}"


def alert_id(rule: str, labels: Mapping[str, str]) -> str:
    """The same for the same rule and labels, over restarts: 16 hex digits."""
    text = "\0".join([rule, *(f"{key}={value}" for key, value in sorted(labels.items()))])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def begin(rule: Rule, reading: Reading) -> Alert:
    """An alert that is still inactive."""
    labels = dict(zip(rule.by, reading.labels, strict=True))
    return Alert(
        id=alert_id(rule.name, labels),
        rule=rule.name,
        type=rule.type or rule.name,
        severity=rule.severity,
        labels=labels,
        runbook=rule.runbook,
    )


def advance(alert: Alert, rule: Rule, reading: Reading, now_s: float) -> Alert:
    """The alert after a reading at ``now_s``."""
    sees = _sees(reading)
    if sees is Sees.NOTHING:
        return expired(alert, now_s)
    alert = msgspec.structs.replace(_measured(alert, rule, reading), seen_s=now_s)
    after = MOVES.get((alert.state, sees), alert.state)
    if alert.state is State.FIRING:
        return _ending(alert, rule, after, now_s)
    if after is State.PENDING and alert.state is not State.PENDING:
        began_s = now_s if reading.since_s is None else max(min(reading.since_s, now_s), alert.resolved_s or 0.0)
        alert = msgspec.structs.replace(
            alert,
            state=State.PENDING,
            since_s=began_s,
            fired_s=None,
            over_s=None,
            resolved_s=None,
            reason="",
            exemplars=(),
            cause=(),
            explanation="",
        )
        after = State.FIRING
    if after is State.FIRING:
        if now_s - alert.since_s < rule.for_:
            return alert
        return msgspec.structs.replace(alert, state=State.FIRING, fired_s=now_s)
    return msgspec.structs.replace(alert, state=after)


def expired(alert: Alert, now_s: float) -> Alert:
    """The alert when nothing is known of it: the same, until that has lasted a day."""
    if alert.state not in {State.PENDING, State.FIRING} or now_s - alert.seen_s < FORGOTTEN_AFTER_S:
        return alert
    return ended(alert, "nothing has been measured of it for a day", now_s)


def ended(alert: Alert, reason: str, now_s: float) -> Alert:
    """The alert, over for another reason than its figures."""
    if alert.state is not State.FIRING:
        return msgspec.structs.replace(alert, state=State.INACTIVE, reason=reason)
    return msgspec.structs.replace(alert, state=State.RESOLVED, resolved_s=now_s, reason=reason)


def _ending(alert: Alert, rule: Rule, after: State, now_s: float) -> Alert:
    if after is not State.RESOLVED:
        return msgspec.structs.replace(alert, over_s=None)
    over_s = now_s if alert.over_s is None else alert.over_s
    if now_s - over_s < rule.clear.for_:
        return msgspec.structs.replace(alert, over_s=over_s)
    return msgspec.structs.replace(alert, state=State.RESOLVED, over_s=over_s, resolved_s=now_s)


def _sees(reading: Reading) -> Sees:
    if reading.wrong:
        return Sees.WRONG
    if reading.over:
        return Sees.OVER
    return Sees.NOTHING if reading.wrong is None else Sees.FINE


def _measured(alert: Alert, rule: Rule, reading: Reading) -> Alert:
    """With the reading's figures; what the alert said when it was wrong is kept when it no longer is."""
    value = None if math.isnan(reading.value) else reading.value
    evidence = {key: found for key, found in reading.evidence.items() if math.isfinite(found)}
    if alert.state in {State.FIRING, State.RESOLVED} and not reading.wrong:
        return msgspec.structs.replace(alert, value=value, shown=amount(value, rule))
    return msgspec.structs.replace(
        alert,
        value=value,
        shown=amount(value, rule),
        threshold=expected(evidence, rule) or amount(evidence.get("bound", _threshold(rule)), rule),
        message=fill(rule, alert.labels, value, reading.evidence),
        evidence=evidence,
        course=reading.course,
    )


def _threshold(rule: Rule) -> float | None:
    bound = rule.above if rule.above is not None else rule.below
    if bound is not None:
        return float(bound)
    return float(rule.absent) if rule.absent is not None else None
