"""One agent: rate, errors and duration of its calls, where its time goes, its memory, trends, breakers and votes."""

from __future__ import annotations

from dashboards.board import Board, Choice
from dashboards.panels import RED, YELLOW, Line, Panel, figure, over_time, spread, states
from dashboards.queries import (
    AGENT,
    FAILED,
    SCOPE,
    by,
    calls,
    failed_share,
    grown,
    mean,
    metric,
    number,
    per_second,
    quantile,
    ratio,
)
from dashboards.shapes import p95, quantiles, rate
from pea.telemetry import names

CALL, STEP = names.METRIC_AGENT_CALL_DURATION, names.METRIC_STEP_DURATION
NAME, CAPABILITY = names.GEN_AI_AGENT_NAME, names.PEA_CAPABILITY
START = metric(names.METRIC_AGENT_START_DURATION)


def board() -> Board:
    """The page behind one name."""
    return Board(
        uid="pea-agent",
        title="PEA / Agent",
        about="One agent: rate, errors and duration of its calls, where its time goes, its trends and bounds.",
        home=CALL,
        choices=(Choice("agent", "Agent", f"label_values({metric(CALL)}_count{{{SCOPE}}}, gen_ai_agent_name)"),),
        sections={
            "Now": _now(),
            "Rate, errors, duration": _red(),
            "Where the time goes": _steps(),
            "Trends": _trends(),
            "Bounds": _bounds(),
            "Agreement": _agreement(),
        },
    )


def _now() -> list[Panel]:
    return [
        figure("Calls per second", "Attempts of calls to the agent.", "reqps", Line(calls(CALL, (), AGENT), "calls/s")),
        figure(
            "Failed",
            "Share of attempts that failed. An alert fires above 5 %.",
            "percentunit",
            Line(failed_share(CALL, (), AGENT), "failed"),
            limits={0.01: YELLOW, 0.05: RED},
            decimals=2,
        ),
        figure(
            "p50",
            "Half of the attempts take at most this long.",
            "s",
            Line(quantile(0.5, CALL, (), AGENT), "p50"),
            limits={0.1: YELLOW, 0.5: RED},
        ),
        figure(
            "p95",
            "95 of 100 attempts take at most this long. An alert fires above 1 s.",
            "s",
            Line(quantile(0.95, CALL, (), AGENT), "p95"),
            limits={0.3: YELLOW, 1: RED},
        ),
        figure("Mean", "Mean duration of the attempts.", "s", Line(mean(CALL, (), AGENT), "mean")),
        figure(
            "Start",
            "How long the agent's start took, mean. At most 100 ms are wanted.",
            "s",
            Line(
                f"sum ({START}_sum{{{SCOPE}, {AGENT}}}) / sum ({START}_count{{{SCOPE}, {AGENT}}})",
                "start",
            ),
            limits={0.1: RED},
        ),
    ]


def _red() -> list[Panel]:
    return [
        rate("Calls by capability", "Attempts per second.", CALL, CAPABILITY, AGENT),
        rate(
            "Errors by type",
            "Failed attempts per second by the type of their error.",
            CALL,
            (NAME, names.ERROR_TYPE),
            FAILED,
            AGENT,
        ),
        quantiles(
            "Duration",
            "Quantiles of how long attempts took. Each point is one call: it opens its trace.",
            CALL,
            AGENT,
            limits={1: RED},
        ),
        p95(
            "p95 by capability",
            "95 of 100 attempts take at most this long.",
            CALL,
            CAPABILITY,
            AGENT,
            exemplars=False,
            width=12,
        ),
        spread(
            "Spread of durations",
            "How many attempts took how long: two bands are two kinds of calls.",
            "s",
            Line(by("sum", "le", per_second(CALL, AGENT, suffix="_bucket")), "{{le}}", exemplars=True),
        ),
    ]


def _steps() -> list[Panel]:
    both, legend = (NAME, names.PEA_STEP_NAME), "{{gen_ai_agent_name}}: {{pea_step_name}}"
    return [
        over_time(
            "Seconds per second in each step",
            "How much of each second the agent spends in its named steps; more than 1 means several calls at once.",
            "percentunit",
            Line(by("sum", both, per_second(STEP, AGENT, suffix="_sum")), legend),
            stacked=True,
            width=12,
        ),
        p95(
            "p95 of each step",
            "95 of 100 steps of this name take at most this long.",
            STEP,
            both,
            AGENT,
            exemplars=False,
            width=12,
        ),
    ]


def _trends() -> list[Panel]:
    recent, hour = (quantile(0.95, CALL, NAME, AGENT, window=window) for window in ("5m", "1h"))
    speed = [
        f"{by('sum', NAME, grown(CALL, window, AGENT, suffix='_count'))} / {seconds}"
        for window, seconds in (("5m", 300), ("1h", 3600))
    ]
    fails = [failed_share(CALL, NAME, AGENT, window=window) for window in ("5m", "1h")]
    return [
        over_time(
            "Response time: improving, stable or degrading",
            "p95 of five minutes over that of the last hour: above 1 the agent gets slower.",
            "short",
            Line(f"{recent} / {hour}", "{{gen_ai_agent_name}}"),
            limits={1.25: YELLOW, 2: RED},
        ),
        over_time(
            "Throughput: increasing, stable or decreasing",
            "Calls per second in five minutes, beside the last hour's.",
            "reqps",
            Line(speed[0], "{{gen_ai_agent_name}} 5 min"),
            Line(speed[1], "{{gen_ai_agent_name}} 1 h"),
        ),
        over_time(
            "Errors: improving, stable or worsening",
            "Share of attempts that failed in five minutes, beside the last hour's.",
            "percentunit",
            Line(fails[0], "{{gen_ai_agent_name}} 5 min"),
            Line(fails[1], "{{gen_ai_agent_name}} 1 h"),
            limits={0.05: RED},
        ),
    ]


def _bounds() -> list[Panel]:
    words = {0.0: ("closed", "green"), 1.0: ("half-open", "yellow"), 2.0: ("open", "red")}
    return [
        over_time(
            "Memory accounted to the agent",
            "Bytes in its caches, histories and queues.",
            "bytes",
            Line(by("sum", NAME, number(names.METRIC_AGENT_MEMORY, AGENT)), "{{gen_ai_agent_name}}"),
            width=12,
        ),
        over_time(
            "Refused and restarted",
            "Calls per second that an open breaker did not let through, and restarts of the agent after failures.",
            "cps",
            Line(by("sum", NAME, per_second(names.METRIC_BREAKER_REFUSED, AGENT)), "{{gen_ai_agent_name}} refused"),
            Line(by("sum", NAME, per_second(names.METRIC_AGENT_RESTARTS, AGENT)), "{{gen_ai_agent_name}} restarts"),
            width=12,
        ),
        states(
            "Circuit breakers",
            "Open: calls are refused without being tried. Half-open: a few are let through.",
            Line(
                by("max", (names.PEA_BREAKER_NAME, names.PEA_CAPABILITY), number(names.METRIC_BREAKER_STATE, AGENT)),
                "{{pea_breaker_name}} {{pea_capability}}",
            ),
            words,
        ),
    ]


def _agreement() -> list[Panel]:
    votes, voter = names.METRIC_QUORUM_VOTES, (NAME, names.PEA_REPLICA)
    agreed, told = (
        by("sum", voter, per_second(votes, f'pea_quorum_vote=~"{words}"', AGENT))
        for words in ("agreed", "agreed|dissented")
    )
    return [
        over_time(
            "Record of the voters",
            "Share of a replica's votes that said what was decided. Plain calls leave who says something else, too.",
            "percentunit",
            Line(ratio(agreed, told), "{{gen_ai_agent_name}} {{pea_replica}}"),
            most=1,
            width=12,
        ),
        rate(
            "Votes by what they were worth",
            "Votes per second in rounds that decided: agreed, dissented, failed, or not heard before the decision.",
            votes,
            names.PEA_QUORUM_VOTE,
            AGENT,
            unit="cps",
            width=12,
        ),
    ]
