"""Any OpenTelemetry agent: agents, tools, models and tokens of other programs, by the GenAI conventions.

PEA folds these figures from the spans that other programs send to it; a program whose SDK exports the conventions' own
metrics through a Collector is shown by the same queries.
"""

from __future__ import annotations

from dashboards.board import Board, Choice
from dashboards.panels import RED, YELLOW, Column, Line, Panel, figure, over_time, rows, spread
from dashboards.queries import FAILED, SCOPE, by, calls, failed_share, mean, metric, per_second, quantile
from dashboards.shapes import failures, level, p95, rate
from pea.telemetry import names

CALL, TOKENS = names.METRIC_GEN_AI_CLIENT_OPERATION_DURATION, names.METRIC_GEN_AI_CLIENT_TOKEN_USAGE
SHOWN = 'service_name=~"$service"'
AGENTS, TOOLS = 'gen_ai_operation_name="invoke_agent"', 'gen_ai_operation_name="execute_tool"'
MODELS = 'gen_ai_request_model!="", gen_ai_operation_name!="invoke_agent"'
NAME, MODEL, TOOL, KIND = (
    names.GEN_AI_AGENT_NAME,
    names.GEN_AI_REQUEST_MODEL,
    names.GEN_AI_TOOL_NAME,
    names.GEN_AI_TOKEN_TYPE,
)
SPENT = by("sum", (), per_second(TOKENS, SHOWN, suffix="_sum"))


def board() -> Board:
    """The page of other frameworks' agents."""
    return Board(
        uid="pea-otel-agents",
        title="PEA / Any OpenTelemetry agent",
        about="Agents, tools, models and tokens of programs in any framework, by OpenTelemetry's GenAI conventions.",
        home=CALL,
        choices=(Choice("service", "Service", f"label_values({metric(CALL)}_count{{{SCOPE}}}, service_name)"),),
        sections={"Now": _now(), "Agents": _agents(), "Models and tokens": _models(), "Tools": _tools()},
    )


def _now() -> list[Panel]:
    return [
        figure(
            "Operations per second",
            "Calls of agents, tools and models.",
            "reqps",
            Line(calls(CALL, (), SHOWN), "operations/s"),
        ),
        figure(
            "Failed",
            "Share of operations that failed.",
            "percentunit",
            Line(failed_share(CALL, (), SHOWN), "failed"),
            limits={0.01: YELLOW, 0.05: RED},
            decimals=2,
        ),
        figure(
            "p95 of an agent's call",
            "95 of 100 calls of an agent take at most this long.",
            "s",
            Line(quantile(0.95, CALL, (), AGENTS, SHOWN), "p95"),
        ),
        figure(
            "p95 of a model's call",
            "95 of 100 calls of a model take at most this long.",
            "s",
            Line(quantile(0.95, CALL, (), MODELS, SHOWN), "p95"),
        ),
        figure("Tokens per second", "Tokens in and out of all models.", "short", Line(SPENT, "tokens/s")),
        figure(
            "Programs",
            "Services whose agents are seen.",
            "short",
            Line(f"count ({calls(CALL, names.SERVICE_NAME, SHOWN)})", "services"),
        ),
    ]


def _agents() -> list[Panel]:
    key = (names.SERVICE_NAME, NAME)
    columns = {
        "Calls/s": Column(calls(CALL, key, AGENTS, SHOWN), "reqps"),
        "p50": Column(quantile(0.5, CALL, key, AGENTS, SHOWN), "s"),
        "p95": Column(quantile(0.95, CALL, key, AGENTS, SHOWN), "s"),
        "Failed": Column(failed_share(CALL, key, AGENTS, SHOWN), "percentunit", {0.01: YELLOW, 0.05: RED}),
    }
    legend = "{{service_name}} {{gen_ai_agent_name}}"
    return [
        rows(
            "Agents", "Each agent's calls: rate, quantiles, share that failed.", columns, ("gen_ai_agent_name", "Agent")
        ),
        rate("Calls by agent", "Calls per second.", CALL, key, AGENTS, SHOWN, legend=legend),
        p95(
            "p95 by agent",
            "95 of 100 calls take at most this long. Each point is one call: it opens its trace.",
            CALL,
            key,
            AGENTS,
            SHOWN,
            legend=legend,
        ),
        rate(
            "Errors by type",
            "Failed operations per second by service and type of error.",
            CALL,
            (names.SERVICE_NAME, names.ERROR_TYPE),
            FAILED,
            SHOWN,
        ),
        rate(
            "Operations",
            "Operations per second by kind: agent, tool, chat, embeddings.",
            CALL,
            names.GEN_AI_OPERATION_NAME,
            SHOWN,
            width=12,
        ),
        spread(
            "Spread of durations",
            "How many operations took how long.",
            "s",
            Line(by("sum", "le", per_second(CALL, SHOWN, suffix="_bucket")), "{{le}}", exemplars=True),
        ),
    ]


def _models() -> list[Panel]:
    legend = "{{gen_ai_request_model}} {{gen_ai_token_type}}"
    return [
        over_time(
            "Tokens by model",
            "Tokens per second, in and out.",
            "short",
            Line(by("sum", (MODEL, KIND), per_second(TOKENS, SHOWN, suffix="_sum")), legend),
            stacked=True,
        ),
        over_time(
            "Tokens of a call",
            "Mean tokens of a model's call: prompts that grow are seen here.",
            "short",
            Line(
                mean(TOKENS, (MODEL, KIND), SHOWN),
                legend,
            ),
        ),
        p95("p95 by model", "95 of 100 calls of a model take at most this long.", CALL, MODEL, MODELS, SHOWN),
    ]


def _tools() -> list[Panel]:
    return [
        rate("Calls by tool", "Calls of tools per second.", CALL, TOOL, TOOLS, SHOWN),
        p95(
            "p95 by tool",
            "95 of 100 calls of a tool take at most this long.",
            CALL,
            TOOL,
            TOOLS,
            SHOWN,
            exemplars=False,
        ),
        failures(
            "Failed by tool", "Share of a tool's calls that failed.", CALL, TOOL, TOOLS, SHOWN, limits={0.05: RED}
        ),
        over_time(
            "Spans taken in",
            "Spans of other programs per second that PEA took by OTLP.",
            "cps",
            Line(by("sum", (), per_second(names.METRIC_STORE_SPANS, 'pea_store_outcome="ingested"')), "spans/s"),
            width=12,
            height=6,
        ),
        level(
            "Bytes kept",
            "Bytes in PEA's span store, which holds their traces.",
            "bytes",
            names.METRIC_STORE_USAGE,
            width=12,
            height=6,
        ),
    ]
