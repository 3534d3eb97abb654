"""What ``GET /v1/dashboard`` answers: null stands where nothing was measured."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from pea.runtime import AgentState
from pea.runtime.pressure import PressureState
from pea.service.task_json import TaskJson
from pea.watch.health import Health
from pea.watch.recommend import Recommendation
from pea.watch.trends import ErrorTrend, ResponseTrend, ThroughputTrend

Share = Annotated[float, Meta(ge=0, le=1)]
Line = list[float | None]


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """Response times of the window."""

    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    mean_ms: float | None


class Throughput(msgspec.Struct, frozen=True, kw_only=True):
    """Rates over the window; the peak is the busiest ten seconds'. Operations are spans, since the start."""

    requests_per_s: float
    operations_per_s: float | None
    tasks_per_min: float
    peak_per_s: float


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """What is used. The heap is resident memory that no file is behind; the network, the service's own connections.

    Agents share a process, so what one of them uses is found otherwise, over the last five minutes. CPU is estimated:
    that of its jobs is measured, its part of the event loop's is taken from looks at the loop's stack. Memory and heap
    are what is accounted to it. The network is its connectors' and HTTP requests', the disk its jobs' reads and writes.
    """

    cpu: Share | None
    memory_bytes: float | None
    heap_bytes: float | None
    network_bytes_per_s: float | None
    disk_operations_per_s: float | None


class Reliability(msgspec.Struct, frozen=True, kw_only=True):
    """Failures of the window, and since the start their types, uptime and mean times between failures and to recovery.

    An agent is up while it is in service; the system's uptime is the share of the last day in which the service ran.
    The means are null while nothing has failed; all three are for an agent of another program.
    """

    errors: int
    error_rate: Share | None
    errors_by_type: dict[str, int]
    uptime: Share | None
    mtbf_s: float | None
    mttr_s: float | None


class Business(msgspec.Struct, frozen=True, kw_only=True):
    """Outcomes of the window. ``sla_compliance`` is the share of calls that took at most 300 ms.

    ``consensus_efficiency`` is, since the start, the share of answers in decided votes that said what was decided;
    null until agents vote. ``user_satisfaction`` is null until somebody gives feedback on tasks: 1 when all of the
    last 30 days were scored five, 0 when all were scored one.
    """

    task_success_rate: Share | None
    consensus_efficiency: Share | None
    user_satisfaction: Share | None
    sla_compliance: Share | None


class Trends(msgspec.Struct, frozen=True, kw_only=True):
    """Where the last fifteen minutes lead; null while there is too little to tell."""

    response_time: ResponseTrend | None
    throughput: ThroughputTrend | None
    errors: ErrorTrend | None


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """SPEC.md row 14, for the system or for one agent."""

    response: Response
    throughput: Throughput
    resources: Resources
    reliability: Reliability
    business: Business
    trends: Trends


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """The first look. ``requests`` and ``errors`` count since the start, the rest is of the window."""

    requests: int
    errors: int
    average_ms: float | None
    p95_ms: float | None
    error_rate: Share | None
    requests_per_s: float
    health: Health
    agents_active: int
    agents: int
    running: int
    queued: int
    slowest_trace: str | None


class Tokens(msgspec.Struct, frozen=True):
    """Tokens of an agent's own calls of models since the start, whatever framework told of them."""

    model_calls: int = 0
    input: int = 0
    output: int = 0


class AgentRow(msgspec.Struct, frozen=True, kw_only=True):
    """One agent. ``calls`` counts since the start; ``spark`` is the mean response time (ms) of 30-second steps.

    An agent of another program, known by its spans only, has no state; ``tokens`` is null where no model was called.
    """

    name: str
    state: AgentState | None
    problem: str | None
    calls: int
    window_calls: int
    metrics: Metrics
    cache: dict[str, int]
    tokens: Tokens | None
    spark: Line
    slowest_trace: str | None
    failed_trace: str | None


class Charts(msgspec.Struct, frozen=True, kw_only=True):
    """Series over time: ``start_ms`` is the first point's Unix time; exemplars are traces near p50, p95, p99."""

    window: str
    start_ms: float
    step_s: int
    series: dict[str, Line]
    exemplars: dict[str, tuple[str, ...]]  # by the point's place


class Dashboard(msgspec.Struct, frozen=True, kw_only=True):
    """Everything at once. ``alerts`` is null where no detector runs; figures are of the last ``window_s`` seconds.

    ``pressure`` says what gives way because memory is short; null before the runtime has started.
    """

    at_ms: float
    started_ms: float
    collected_ms: float
    window_s: int
    overview: Overview
    system: Metrics
    agents: list[AgentRow]
    tasks: list[TaskJson]
    alerts: list[dict[str, Any]] | None
    recommendations: list[Recommendation]
    pressure: PressureState | None
    charts: Charts
