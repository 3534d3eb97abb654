"""What the performance agent says, and the little it reads of what the service measures."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Verdict = Literal["well", "strained", "ill", "not measured"]


# What is read, whatever more there is.
class Lowered(msgspec.Struct, frozen=True):
    """What costs health how many points."""

    points: int
    reason: str


class _Health(msgspec.Struct, frozen=True):
    score: int
    lowered_by: tuple[Lowered, ...] = ()


class _Overview(msgspec.Struct, frozen=True):
    health: _Health
    p95_ms: float | None = None
    error_rate: float | None = None


class _Response(msgspec.Struct, frozen=True):
    p50_ms: float | None = None
    p95_ms: float | None = None
    mean_ms: float | None = None


class _Reliability(msgspec.Struct, frozen=True):
    error_rate: float | None = None


class _Resources(msgspec.Struct, frozen=True):
    memory_bytes: float | None = None


class _Trends(msgspec.Struct, frozen=True):
    response_time: str | None = None
    throughput: str | None = None
    errors: str | None = None


class _Metrics(msgspec.Struct, frozen=True):
    response: _Response = _Response()
    reliability: _Reliability = _Reliability()
    resources: _Resources = _Resources()
    trends: _Trends = _Trends()


class Row(msgspec.Struct, frozen=True):
    """One agent on the dashboard."""

    name: str
    state: str | None
    problem: str | None = None
    window_calls: int = 0
    metrics: _Metrics = _Metrics()
    cache: dict[str, int] = {}
    slowest_trace: str | None = None


class Recommendation(msgspec.Struct, frozen=True, kw_only=True):
    """What the figures call for; ``trace`` is an example of the pattern, ``subject`` an agent or empty."""

    kind: str
    subject: str
    priority: Literal["high", "medium", "low"]
    what: str
    evidence: str
    effect: str
    trace: str = ""


class Dashboard(msgspec.Struct, frozen=True, kw_only=True):
    """The dashboard as the service gives it."""

    window_s: int
    overview: _Overview
    system: _Metrics
    agents: tuple[Row, ...]
    recommendations: tuple[Recommendation, ...] = ()
    alerts: tuple[dict[str, Any], ...] | None = None


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One objective as the service judges it."""

    name: str
    objective: str
    now: str
    met: bool | None
    budget_left: float | None = None
    burn: float | None = None


class Objectives(msgspec.Struct, frozen=True, kw_only=True):
    """What the service says of its objectives."""

    period_s: float
    objectives: tuple[Standing, ...]
    shed: int = 0
    shed_reason: str = ""


class AgentState(msgspec.Struct, frozen=True, kw_only=True):
    """An agent's own word on how it is; known wherever agents run."""

    agent: str
    state: str
    problem: str | None = None
    check_s: float = 0.0


# What is answered.
class HealthReport(msgspec.Struct, frozen=True, kw_only=True):
    """How PEA is. ``score`` is 0 to 100 (None where only the agents' states are known), ``lowered_by`` what costs it.

    ``not_measured`` says which figures there are none of here, and where they are to be had.
    """

    verdict: Verdict
    score: int | None
    lowered_by: tuple[Lowered, ...]
    agents_ready: int
    agents: int
    troubled: tuple[AgentState, ...]
    alerts: tuple[str, ...]
    memory_bytes: float | None
    p95_ms: float | None
    error_rate: float | None
    trends: dict[str, str]
    not_measured: tuple[str, ...]
    text: str


class ObjectiveView(msgspec.Struct, frozen=True, kw_only=True):
    """One objective, with how long its budget lasts at the last hour's pace (None: not spent, or no budget)."""

    name: str
    objective: str
    now: str
    met: bool | None
    budget_left: float | None
    burn: float | None
    lasts_s: float | None
    advice: str


class SlaReport(msgspec.Struct, frozen=True, kw_only=True):
    """Every objective, those that need attention first."""

    period_s: float
    objectives: tuple[ObjectiveView, ...]
    missed: int
    shed: int
    not_measured: tuple[str, ...]
    text: str


class AgentView(msgspec.Struct, frozen=True, kw_only=True):
    """One agent's last minutes. ``share`` is its part of all time spent in agents: calls times mean, of the sum.

    ``hit_ratio`` is of its cache lookups; ``saves_s`` what the window's calls would save were its p95 its p50.
    """

    name: str
    state: str
    calls: int
    p50_ms: float | None
    p95_ms: float | None
    error_rate: float | None
    share: float | None
    hit_ratio: float | None
    saves_s: float | None
    trend: str
    trace: str
    verdict: str


class AgentsReport(msgspec.Struct, frozen=True, kw_only=True):
    """The agents by where the time goes, most first."""

    window_s: int
    agents: tuple[AgentView, ...]
    idle: tuple[str, ...]
    not_measured: tuple[str, ...]
    text: str


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """What to do, most pressing first."""

    recommendations: tuple[Recommendation, ...]
    not_measured: tuple[str, ...]
    text: str
