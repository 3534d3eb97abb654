"""The routes of alerts: what is wrong now and was, whom it is kept from, and by which rules it is judged."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from pea.config import Seconds
from pea.runtime.task import timestamp
from pea.service.access.scopes import Scope
from pea.service.alerts_detector import DETECTOR, detector_of
from pea.service.body import read_struct
from pea.service.json_answer import json_answer
from pea.service.operation import Answer, Header, Operation
from pea.service.query import read_query
from pea.service.refusals import UnknownAlert

if TYPE_CHECKING:
    from pea.watch.alert import Alert
    from pea.watch.rule import Rule
    from pea.watch.watcher import Watcher

MAX_LIMIT = 1_000
DURATION = "^[1-9][0-9]?[smhd]$"

Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
StateName = Literal["pending", "firing", "resolved"]
SeverityName = Literal["info", "low", "medium", "high", "critical"]


class CourseJson(msgspec.Struct, frozen=True, kw_only=True):
    """What a learned baseline saw last and expected at each of these times; null where nothing was expected.

    ``view`` is the side from which it is unusual, ``about`` says that in words; ``unit`` is s, B, %, /s or empty.
    """

    view: str
    about: str
    unit: str
    at: tuple[Moment, ...]
    values: tuple[float, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]


class AlertJson(msgspec.Struct, frozen=True, kw_only=True):
    """One alert. ``value`` and ``threshold`` are as shown, ``evidence`` are the figures that the decision rests on.

    ``cause`` are the likely causes, the likeliest first; ``exemplars`` are traces that show it.
    """

    id: Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
    rule: str
    type: str
    severity: SeverityName
    state: StateName
    labels: dict[str, str]
    message: str
    value: str
    threshold: str
    since: Moment
    fired: Moment | None
    resolved: Moment | None
    reason: str
    silenced_until: Moment | None
    inhibited_by: str | None
    evidence: dict[str, float]
    exemplars: tuple[str, ...]
    cause: tuple[dict[str, Any], ...]
    explanation: str
    course: CourseJson | None
    runbook: str


class AlertList(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts, the gravest first; ``history`` those that are over, the newest first, when it was asked for."""

    alerts: list[AlertJson]
    history: list[AlertJson]


class AlertQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which alerts to list."""

    state: Annotated[StateName, Meta(description="Only alerts in this state.")] | UnsetType = UNSET
    severity: Annotated[SeverityName, Meta(description="Only alerts of this severity.")] | UnsetType = UNSET
    history: Annotated[int, Meta(ge=0, le=MAX_LIMIT, description="How many of those that are over.")] = 0


class SilenceRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For how long nobody is told, such as ``90m`` or ``2h``, and why."""

    duration: Annotated[str, Meta(pattern=DURATION)] = "1h"
    comment: Annotated[str, Meta(max_length=500)] = ""


class SilenceJson(msgspec.Struct, frozen=True, kw_only=True):
    """A silence: alerts of this rule with these labels tell nobody until then."""

    id: str
    rule: str
    labels: dict[str, str]
    until: Moment
    comment: str


class RuleJson(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as it is in use; ``rule`` is what its file says, with defaults."""

    name: str
    severity: SeverityName
    signal: str
    alerts: int
    rule: dict[str, Any]


class RuleList(msgspec.Struct, frozen=True, kw_only=True):
    """The rules in use, and what is wrong with newer ones that are not."""

    rules: list[RuleJson]
    problems: tuple[str, ...]
    evaluations: int
    evaluation_ms: float
    failures: int


async def listing(request: web.Request) -> web.Response:
    """The alerts that are pending, firing, or have just been resolved."""
    query = read_query(request, AlertQuery)
    watcher = detector_of(request)
    found = [
        alert
        for alert in watcher.book.alerts()
        if query.state in {UNSET, alert.state} and query.severity in {UNSET, alert.severity}
    ]
    past = list(watcher.book.history)[::-1][: query.history]
    return json_answer(
        AlertList(
            alerts=[alert_json(watcher, alert) for alert in found],
            history=[alert_json(watcher, alert) for alert in past],
        )
    )


async def silence(request: web.Request) -> web.Response:
    """Tell nobody of an alert for a while."""
    watcher = detector_of(request)
    body = await read_struct(request, SilenceRequest)
    alert = watcher.book.get(request.match_info["id"])
    if alert is None:
        raise UnknownAlert("no alert has this id now", where="id", fix="GET /v1/alerts lists them")
    made = watcher.silence(alert, float(Seconds.parse(body.duration)), body.comment)
    await watcher.save()
    shown = SilenceJson(
        id=made.id, rule=made.rule, labels=dict(made.labels), until=timestamp(made.until_s), comment=made.comment
    )
    return json_answer(shown, 201)


async def rules(request: web.Request) -> web.Response:
    """The rules in use."""
    watcher = detector_of(request)
    status = watcher.status()
    return json_answer(
        RuleList(
            rules=[_rule(watcher, rule) for rule in watcher.rules.rules],
            problems=request.app[DETECTOR].problem,
            evaluations=status.evaluations,
            evaluation_ms=round(status.evaluation_s * 1e3, 3),
            failures=status.failures,
        )
    )


def alert_json(watcher: Watcher, alert: Alert) -> AlertJson:
    """An alert as the API shows it."""
    now_s = time.time()
    silenced = watcher.book.silenced(alert, now_s)
    inhibited = watcher.book.inhibited(alert, watcher.rules, now_s) if alert.state == "firing" else None
    return AlertJson(
        id=alert.id,
        rule=alert.rule,
        type=alert.type,
        severity=alert.severity,
        state=alert.state.value,  # type: ignore[arg-type]  # an inactive alert is in no list
        labels=dict(alert.labels),
        message=alert.message,
        value=alert.shown,
        threshold=alert.threshold,
        since=timestamp(alert.since_s),
        fired=None if alert.fired_s is None else timestamp(alert.fired_s),
        resolved=None if alert.resolved_s is None else timestamp(alert.resolved_s),
        reason=alert.reason,
        silenced_until=None if silenced is None else timestamp(silenced.until_s),
        inhibited_by=None if inhibited is None else _named(inhibited),
        evidence={key: value for key, value in alert.evidence.items() if math.isfinite(value)},
        exemplars=alert.exemplars,
        cause=tuple(dict(one) for one in alert.cause),
        explanation=alert.explanation,
        course=_course(watcher, alert),
        runbook=alert.runbook,
    )


def _named(alert: Alert) -> str:
    """An alert in a word or two: its rule, and what it is about."""
    about = ", ".join(alert.labels.values())
    return f"{alert.rule} ({about})" if about else alert.rule


def _course(watcher: Watcher, alert: Alert) -> CourseJson | None:
    from pea.watch.signals import signal

    found = alert.course
    if found is None:
        return None
    watched = next((rule.signal for rule in watcher.rules.rules if rule.name == alert.rule), None)
    return CourseJson(
        view=found.view,
        about=found.about,
        unit=signal(watched).unit.value if watched else "",
        at=tuple(timestamp(at) for at in found.at),
        values=found.values,
        low=found.low,
        high=found.high,
    )


def on_the_board(watcher: Watcher) -> list[dict[str, Any]]:
    """The alerts that fire and are not muted, for the dashboard."""
    firing = [alert for alert in watcher.book.alerts() if alert.state == "firing" and not watcher.muted(alert)]
    return [msgspec.to_builtins(alert_json(watcher, alert)) for alert in firing]


def _rule(watcher: Watcher, rule: Rule) -> RuleJson:
    from pea.watch.rule import as_written

    written: dict[str, Any] = msgspec.to_builtins(rule, enc_hook=as_written)
    return RuleJson(
        name=rule.name,
        severity=rule.severity,
        signal=rule.signal,
        alerts=len(watcher.book.active(rule.name)),
        rule={key: value for key, value in written.items() if value not in (None, "", [], {})},
    )


ALERT_ID = {"id": Header("id", "The alert's id, 16 hex digits.", {"type": "string", "minLength": 1})}

ROUTES = (
    Operation(
        method="GET",
        path="/v1/alerts",
        handler=listing,
        name="listAlerts",
        tag="alerts",
        scope=Scope.READ,
        summary="List what is wrong, with likely causes and traces",
        answers={200: Answer("The alerts.", AlertList)},
        query=AlertQuery,
    ),
    Operation(
        method="POST",
        path="/v1/alerts/{id}/silence",
        handler=silence,
        name="silenceAlert",
        tag="alerts",
        scope=Scope.ADMIN,
        summary="Tell nobody of an alert for a while",
        parameters=ALERT_ID,
        body=SilenceRequest,
        answers={201: Answer("The silence.", SilenceJson)},
        problems=(404, 408, 413, 415),
    ),
    Operation(
        method="GET",
        path="/v1/rules",
        handler=rules,
        name="listRules",
        tag="alerts",
        scope=Scope.READ,
        summary="List the alert rules in use, and what is wrong with newer ones",
        answers={200: Answer("The rules.", RuleList)},
    ),
)
