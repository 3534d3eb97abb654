"""How PEA is, judged from its own figures: plain functions from what was measured to what a person needs."""

from __future__ import annotations

import msgspec

from pea.agents._performance_views import (
    Advice,
    AgentsReport,
    AgentState,
    AgentView,
    Dashboard,
    HealthReport,
    Lowered,
    Objectives,
    ObjectiveView,
    Recommendation,
    Row,
    SlaReport,
    Standing,
    Verdict,
)

STRAINED, ILL = 90, 60  # health scores below which PEA is strained, and ill
SLOW_MS = 300.0  # the objective of p95, SPEC.md row 18
TRACE_SHOWN = 8
NO_SERVICE = "ask the running service: pea tasks submit {} --wait 5"


def health_report(dashboard: Dashboard | None, states: tuple[AgentState, ...]) -> HealthReport:
    """The verdict: by the score where there is one, else by the agents' own states."""
    troubled = tuple(one for one in states if one.state != "ready" or one.problem)
    if dashboard is None:
        lowered = tuple(
            Lowered(0, f"{one.agent} is {one.state}: {one.problem or 'no reason given'}") for one in troubled
        )
        missing = "response times, errors, memory, alerts and the score are measured by the service only"
        report = HealthReport(
            verdict="strained" if troubled else "not measured",
            score=None,
            lowered_by=lowered,
            agents_ready=sum(one.state == "ready" for one in states),
            agents=len(states),
            troubled=troubled,
            alerts=(),
            memory_bytes=None,
            p95_ms=None,
            error_rate=None,
            trends={},
            not_measured=(f"{missing}; {NO_SERVICE.format('performance.health')}",),
            text="",
        )
        return msgspec.structs.replace(report, text=_health_text(report))
    overview, trends = dashboard.overview, dashboard.system.trends
    score = overview.health.score
    verdict: Verdict = "ill" if score < ILL else "strained" if score < STRAINED else "well"
    firing = tuple(_alert(one) for one in dashboard.alerts or ())
    named = {"response time": trends.response_time, "throughput": trends.throughput, "errors": trends.errors}
    report = HealthReport(
        verdict=verdict,
        score=score,
        lowered_by=overview.health.lowered_by,
        agents_ready=sum(one.state == "ready" for one in states),
        agents=len(states),
        troubled=troubled,
        alerts=firing,
        memory_bytes=dashboard.system.resources.memory_bytes,
        p95_ms=overview.p95_ms,
        error_rate=overview.error_rate,
        trends={name: value for name, value in named.items() if value},
        not_measured=() if dashboard.alerts is not None else ("alerts: the detector is off or has not begun",),
        text="",
    )
    return msgspec.structs.replace(report, text=_health_text(report))


def sla_report(found: Objectives | None) -> SlaReport:
    """The objectives, each with what its budget allows."""
    if found is None:
        why = f"objectives are counted by the service only; {NO_SERVICE.format('performance.sla')}"
        return SlaReport(period_s=0.0, objectives=(), missed=0, shed=0, not_measured=(why,), text=why)
    views = sorted((_objective(one, found.period_s) for one in found.objectives), key=_urgency)
    unknown = [view.name for view in views if view.met is None]
    note = (f"too little has happened to judge {', '.join(unknown)}",) if unknown else ()
    missed = sum(view.met is False for view in views)
    report = SlaReport(
        period_s=found.period_s, objectives=tuple(views), missed=missed, shed=found.shed, not_measured=note, text=""
    )
    return msgspec.structs.replace(report, text=_sla_text(report, found.shed_reason))


def agents_report(dashboard: Dashboard | None, limit: int) -> AgentsReport:
    """Where the time of the last minutes went."""
    if dashboard is None:
        note = (f"calls are measured by the service only; {NO_SERVICE.format('performance.agents')}",)
        return AgentsReport(window_s=0, agents=(), idle=(), not_measured=note, text=note[0])
    busy = [row for row in dashboard.agents if row.window_calls]
    total = sum(_spent_ms(row) for row in busy)
    views = sorted((_agent(row, total) for row in busy), key=lambda view: -(view.share or 0.0))[:limit]
    idle = tuple(sorted(row.name for row in dashboard.agents if not row.window_calls and row.state is not None))
    report = AgentsReport(window_s=dashboard.window_s, agents=tuple(views), idle=idle, not_measured=(), text="")
    return msgspec.structs.replace(report, text=_agents_text(report))


def advice(dashboard: Dashboard | None, found: Objectives | None, states: tuple[AgentState, ...]) -> Advice:
    """The detector's recommendations, and what missed objectives and agents out of service call for besides."""
    order = {"high": 0, "medium": 1, "low": 2}
    every = [_mend(one) for one in states if one.state != "ready" or one.problem]
    every += dashboard.recommendations if dashboard is not None else ()
    every += [_meet(view) for view in sla_report(found).objectives if view.met is False] if found is not None else ()
    every.sort(key=lambda one: order[one.priority])
    elsewhere = f"patterns of load are seen by the service only; {NO_SERVICE.format('performance.recommendations')}"
    missing = () if dashboard is not None else (elsewhere,)
    lines = [f"{one.priority:<7}{one.what}\n       {one.evidence}\n       → {one.effect}" for one in every]
    text = "\n".join(lines) or "Nothing calls for a change."
    return Advice(
        recommendations=tuple(every),
        not_measured=missing,
        text="\n".join([text, *("", *missing)] if missing else [text]),
    )


def _mend(one: AgentState) -> Recommendation:
    return Recommendation(
        kind="agent-out-of-service" if one.state != "ready" else "agent-unwell",
        subject=one.agent,
        priority="high" if one.state != "ready" else "medium",
        what=f"Mend {one.agent}: pea doctor says what it lacks",
        evidence=f"it is {one.state}" + (f": {one.problem}" if one.problem else ""),
        effect="its capabilities answer again",
    )


def _meet(view: ObjectiveView) -> Recommendation:
    return Recommendation(
        kind="objective-missed",
        subject="",
        priority="high",
        what=f"Bring {view.name} back to {view.objective}",
        evidence=f"it stands at {view.now}",
        effect=view.advice,
    )


def _objective(one: Standing, period_s: float) -> ObjectiveView:
    """At the last hour's pace a budget is gone after what is left / burn periods (Google's SRE Workbook, chapter 5)."""
    lasts = None
    if one.budget_left is not None and one.burn and one.budget_left > 0:
        lasts = one.budget_left / one.burn * period_s
    if one.met is False:
        said = "the budget is spent: stop risky changes until it recovers" if one.budget_left is not None else "mend it"
    elif lasts is not None and lasts < period_s:
        said = f"at this pace the budget is gone in {_span(lasts)}"
    elif one.met is None:
        said = "wait until more has happened"
    else:
        said = "nothing to do"
    return ObjectiveView(
        name=one.name,
        objective=one.objective,
        now=one.now,
        met=one.met,
        budget_left=one.budget_left,
        burn=one.burn,
        lasts_s=lasts,
        advice=said,
    )


def _urgency(view: ObjectiveView) -> tuple[int, float]:
    return (0 if view.met is False else 2 if view.met is None else 1, view.lasts_s or float("inf"))


def _spent_ms(row: Row) -> float:
    return row.window_calls * (row.metrics.response.mean_ms or 0.0)


def _agent(row: Row, total_ms: float) -> AgentView:
    response, reliability = row.metrics.response, row.metrics.reliability
    lookups = sum(row.cache.values())
    p50, p95 = response.p50_ms, response.p95_ms
    # A twentieth of the calls take p95 or longer: what they would save at the median, at the least.
    saves = None if p50 is None or p95 is None else 0.05 * row.window_calls * (p95 - p50) / 1e3
    return AgentView(
        name=row.name,
        state=row.state or "of another program",
        calls=row.window_calls,
        p50_ms=p50,
        p95_ms=p95,
        error_rate=reliability.error_rate,
        share=_spent_ms(row) / total_ms if total_ms else None,
        hit_ratio=1 - row.cache.get("none", 0) / lookups if lookups else None,
        saves_s=saves,
        trend=row.metrics.trends.response_time or "",
        trace=row.slowest_trace or "",
        verdict=_verdict(p95, reliability.error_rate),
    )


def _verdict(p95_ms: float | None, error_rate: float | None) -> str:
    said = []
    if p95_ms is not None and p95_ms > SLOW_MS:
        said.append(f"slow: p95 over {SLOW_MS:g} ms")
    if error_rate is not None and error_rate > 0.001:
        said.append(f"fails: {error_rate:.1%} of calls")
    return ", ".join(said) or "within the objectives"


def _alert(one: dict[str, object]) -> str:
    said = one.get("message") or one.get("rule") or one.get("name") or "an alert"
    return f"{one.get('severity', '')}: {said}".lstrip(": ")


def _health_text(report: HealthReport) -> str:
    head = f"PEA is {report.verdict}" if report.score is not None else "Health is not scored here"
    scored = f" ({report.score} of 100)" if report.score is not None else ""
    lines = [f"{head}{scored}: {report.agents_ready} of {report.agents} agents in service."]
    lines += [f"  -{one.points:<3} {one.reason}" if one.points else f"  {one.reason}" for one in report.lowered_by]
    measured = [
        f"p95 {report.p95_ms:.3g} ms" if report.p95_ms is not None else "",
        f"errors {report.error_rate:.2%}" if report.error_rate is not None else "",
        f"memory {report.memory_bytes / 2**20:.0f} MiB" if report.memory_bytes else "",
    ]
    lines += ["  " + ", ".join(filter(None, measured))] if any(measured) else []
    lines += [f"  {name}: {value}" for name, value in report.trends.items()]
    lines += [f"  firing: {one}" for one in report.alerts]
    return "\n".join([*lines, *report.not_measured])


def _sla_text(report: SlaReport, shed_reason: str) -> str:
    lines = [f"{len(report.objectives) - report.missed} of {len(report.objectives)} objectives are not missed."]
    width = max((len(view.name) for view in report.objectives), default=0)
    for view in report.objectives:
        mark = {True: "met", False: "MISSED", None: "unknown"}[view.met]
        left = f", {view.budget_left:.0%} of the budget left" if view.budget_left is not None else ""
        lines.append(f"  {mark:<8}{view.name:<{width}}  {view.now} (objective {view.objective}){left}: {view.advice}")
    if report.shed:
        lines.append(f"  load is being shed: {shed_reason}")
    return "\n".join([*lines, *report.not_measured])


def _agents_text(report: AgentsReport) -> str:
    if not report.agents:
        return f"No agent was called in the last {_span(report.window_s)}."
    lines = [f"Where the time of the last {_span(report.window_s)} went:"]
    for view in report.agents:
        share = f"{view.share:4.0%}" if view.share is not None else "   -"
        times = f"p50 {_ms(view.p50_ms)}, p95 {_ms(view.p95_ms)}"
        cached = f", cache {view.hit_ratio:.0%}" if view.hit_ratio is not None else ""
        trace = f" · slowest: pea traces {view.trace[:TRACE_SHOWN]}" if view.trace else ""
        lines.append(f"  {share}  {view.name}: {view.calls} calls, {times}{cached}; {view.verdict}{trace}")
    return "\n".join([*lines, f"Not called: {', '.join(report.idle)}."] if report.idle else lines)


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g} ms"


def _span(seconds: float) -> str:
    if seconds >= 2 * 86_400:
        return f"{seconds / 86_400:.0f} days"
    if seconds >= 2 * 3_600:
        return f"{seconds / 3_600:.0f} hours"
    return f"{seconds / 60:.0f} minutes"
