"""Fleet overview: is the work done, how fast, and which agent is in the way."""

from __future__ import annotations

from dashboards.board import Board
from dashboards.panels import RED, YELLOW, Column, Line, Panel, figure, over_time, rows, states
from dashboards.queries import FAILED, by, calls, failed_share, number, per_second, quantile, ratio
from dashboards.shapes import failures, level, p95, quantiles, rate
from pea.telemetry import names

TASK, CALL, HTTP = (
    names.METRIC_TASK_DURATION,
    names.METRIC_AGENT_CALL_DURATION,
    names.METRIC_HTTP_SERVER_REQUEST_DURATION,
)
NAME, CAPABILITY, STATUS = names.GEN_AI_AGENT_NAME, names.PEA_CAPABILITY, names.PEA_TASK_STATUS
ERRORS = {0.01: YELLOW, 0.05: RED}


def is_in(state: str) -> str:
    """A matcher of agents' states."""
    return f'pea_agent_state="{state}"'


def board() -> Board:
    """The page to open first."""
    return Board(
        uid="pea-fleet",
        title="PEA / Fleet overview",
        about="Is the work done, how fast, and which agent is in the way.",
        home=names.METRIC_TASK_DURATION,
        sections={
            "Now": _now(),
            "Tasks": _tasks(),
            "Agents": _agents(),
            "Agreement": _agreement(),
            "Service": _service(),
        },
    )


def _now() -> list[Panel]:
    return [
        figure("Tasks per second", "Tasks that ended, whatever their end.", "reqps", Line(calls(TASK), "tasks/s")),
        figure(
            "Failed tasks",
            "Share of tasks that did not succeed. The objective is 0.1 %.",
            "percentunit",
            Line(failed_share(TASK), "failed"),
            limits={0.001: YELLOW, 0.01: RED},
            decimals=2,
        ),
        figure(
            "p95 of tasks",
            "95 of 100 tasks take at most this long, waiting included. The objective is 300 ms.",
            "s",
            Line(quantile(0.95, TASK), "p95"),
            limits={0.3: YELLOW, 1: RED},
        ),
        figure(
            "Agents ready",
            "Agents that take calls.",
            "short",
            Line(f"sum ({number(names.METRIC_AGENT_STATE, is_in('ready'))})", "ready"),
        ),
        figure(
            "Alerts firing",
            "Alerts of PEA's own detector that fire now.",
            "short",
            Line(f"sum ({number(names.METRIC_ALERT_STATE)} == bool 2)", "firing"),
            limits={1: RED},
        ),
        figure(
            "Memory",
            "Physical memory of the processes. At most 512 MB in steady work, 1 GB at the peak.",
            "bytes",
            Line(f"sum ({number(names.METRIC_PROCESS_MEMORY_USAGE)})", "memory"),
            limits={512e6: YELLOW, 1e9: RED},
        ),
    ]


def _tasks() -> list[Panel]:
    slowest = f"topk(10, {quantile(0.95, TASK, CAPABILITY)})"
    return [
        rate("Tasks by how they ended", "Tasks per second by status, stacked.", TASK, STATUS),
        quantiles(
            "Duration of tasks",
            "Quantiles of how long tasks took, waiting included. Each point is one task: it opens its trace.",
            TASK,
            limits={0.3: YELLOW, 1: RED},
        ),
        rate(
            "Failed tasks by error",
            "Tasks per second that failed, by the type of their error.",
            TASK,
            (names.ERROR_TYPE, CAPABILITY),
            FAILED,
            legend="{{pea_capability}}: {{error_type}}",
        ),
        over_time(
            "Slowest capabilities",
            "The ten capabilities with the highest p95.",
            "s",
            Line(slowest, "{{pea_capability}}"),
            width=12,
        ),
        over_time(
            "Running and waiting",
            "Tasks that are being worked on, and tasks that wait for a free place.",
            "short",
            Line(f"sum ({number(names.METRIC_TASK_ACTIVE)})", "running"),
            Line(f"sum ({number(names.METRIC_TASK_QUEUED)})", "waiting"),
            width=12,
        ),
    ]


def _agents() -> list[Panel]:
    columns = {
        "Calls/s": Column(calls(CALL, NAME), "reqps"),
        "p50": Column(quantile(0.5, CALL, NAME), "s"),
        "p95": Column(quantile(0.95, CALL, NAME), "s", {0.5: YELLOW, 1: RED}),
        "p99": Column(quantile(0.99, CALL, NAME), "s"),
        "Failed": Column(failed_share(CALL, NAME), "percentunit", ERRORS),
        "Memory": Column(by("sum", NAME, number(names.METRIC_AGENT_MEMORY)), "bytes"),
    }
    words = {1.0: ("starting", "blue"), 2.0: ("ready", "green"), 3.0: ("failed", "red"), 4.0: ("stopped", "text")}
    each = [
        f"{value:g} * ({by('max', NAME, number(names.METRIC_AGENT_STATE, is_in(word)))} == 1)"
        for value, (word, _) in words.items()
    ]
    return [
        rows(
            "Agents",
            "Each agent's calls: rate, quantiles, share that failed, memory accounted to it.",
            columns,
            ("gen_ai_agent_name", "Agent"),
            link="/d/pea-agent?var-agent=${__value.text}&${job:queryparam}",
        ),
        rate("Calls by agent", "Attempts of calls per second.", CALL, NAME),
        p95(
            "p95 by agent",
            "95 of 100 attempts take at most this long. An alert fires above 1 s.",
            CALL,
            NAME,
            limits={1: RED},
        ),
        failures(
            "Failed calls by agent",
            "Share of attempts that failed. An alert fires above 5 %.",
            CALL,
            NAME,
            limits={0.05: RED},
        ),
        states(
            "State of the agents",
            "Where each agent stands in its life.",
            Line(" or ".join(each), "{{gen_ai_agent_name}}"),
            words,
        ),
    ]


def _agreement() -> list[Panel]:
    rounds, legend = names.METRIC_QUORUM_DURATION, "{{pea_capability}}"
    decided = calls(rounds, CAPABILITY, 'pea_quorum_outcome="decided"')
    return [
        rate(
            "Rounds by outcome",
            "Rounds of agreement per second: decided, disagreed, or too few voters answered.",
            rounds,
            names.PEA_QUORUM_OUTCOME,
        ),
        over_time(
            "Rounds that decided",
            "Share of rounds in which enough voters said the same, by what was asked.",
            "percentunit",
            Line(ratio(decided, calls(rounds, CAPABILITY)), legend),
            most=1,
        ),
        p95(
            "p95 of rounds",
            "95 of 100 rounds take at most this long: until enough voters have said the same, or cannot any more.",
            rounds,
            CAPABILITY,
        ),
    ]


def _service() -> list[Panel]:
    route = (names.HTTP_REQUEST_METHOD, names.HTTP_ROUTE)
    legend = "{{http_request_method}} {{http_route}}"
    code = names.HTTP_RESPONSE_STATUS_CODE
    return [
        rate("Requests by route", "HTTP requests per second.", HTTP, route, legend=legend),
        rate("Requests by status", "HTTP requests per second by status code.", HTTP, code),
        p95("p95 by route", "95 of 100 requests take at most this long.", HTTP, route, legend=legend),
        level(
            "CPU",
            "Share of all CPUs that the processes use.",
            "percentunit",
            names.METRIC_PROCESS_CPU_UTILIZATION,
            limits={0.9: RED},
            width=12,
        ),
        over_time(
            "Spans",
            "Spans that ended per second: what all these figures are made of.",
            "cps",
            Line(
                by("sum", (), per_second(names.METRIC_TELEMETRY_SPANS, 'pea_telemetry_outcome="finished"')), "spans/s"
            ),
            width=12,
        ),
    ]
