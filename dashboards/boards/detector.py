"""Detector and SLO: which alerts fire, how long it took to see, and how fast the error budget burns."""

from __future__ import annotations

from dashboards.board import Board
from dashboards.panels import RED, YELLOW, Column, Line, Panel, figure, over_time, rows, states
from dashboards.queries import FAILED, by, failed_share, grown, number, slow_share
from pea.telemetry import names

TASK, STATE, DETECTION = names.METRIC_TASK_DURATION, names.METRIC_ALERT_STATE, names.METRIC_ALERT_DETECTION_TIME
RULE, SEVERITY, NAME = names.PEA_ALERT_RULE, names.PEA_ALERT_SEVERITY, names.GEN_AI_AGENT_NAME
WORDS = {0.0: ("inactive", "green"), 1.0: ("pending", "yellow"), 2.0: ("firing", "red")}
LEGEND = "{{pea_alert_rule}} {{gen_ai_agent_name}}"
AVAILABLE, QUICK, LIMIT = 0.001, 0.05, "0.25"  # error budgets of alerts/default.yaml; the bucket nearest to its 300 ms
WINDOWS = ("5m", "1h", "6h")


def board() -> Board:
    """The page for whoever is on call."""
    return Board(
        uid="pea-detector",
        title="PEA / Detector and SLO",
        about="Which alerts fire, how long it took to see, and how fast the error budget burns.",
        home=TASK,
        sections={
            "Now": _now(),
            "Alerts": _alerts(),
            "Objective: 99.9 % of tasks succeed": _availability(),
            "Objective: 95 % of tasks take less than 300 ms": _latency(),
        },
    )


def _burn(window: str) -> str:
    return f"({failed_share(TASK, window=window)}) / {AVAILABLE}"


def _slow(window: str) -> str:
    return f"({slow_share(TASK, LIMIT, window)}) / {QUICK}"


def _now() -> list[Panel]:
    def holding(state: int) -> str:
        return f"sum ({number(STATE)} == bool {state})"

    return [
        figure("Firing", "Alerts that fire now.", "short", Line(holding(2), "firing"), limits={1: RED}),
        figure(
            "Pending",
            "Figures beyond their bound, but not yet for as long as the rule says.",
            "short",
            Line(holding(1), "pending"),
            limits={1: YELLOW},
        ),
        figure(
            "Time to detect",
            "From the first reading beyond the bound until the alert fired; median of the latest occurrences.",
            "s",
            Line(f"quantile (0.5, {number(DETECTION)})", "median"),
        ),
        figure(
            "Burn, one hour",
            "How many times as fast as the objective allows tasks fail: 1 spends the budget exactly in its period.",
            "short",
            Line(_burn("1h"), "1 h"),
            limits={1: YELLOW, 14.4: RED},
            decimals=1,
        ),
        figure(
            "Error budget left",
            "Share of the budget of failures that the time shown has not spent.",
            "percentunit",
            Line(f"1 - {_burn('$__range')}", "left"),
            limits={0.0: YELLOW, 0.5: "green"},
            best=RED,
            decimals=1,
        ),
        figure(
            "Latency budget left",
            "Share of the budget of slow tasks that the time shown has not spent.",
            "percentunit",
            Line(f"1 - {_slow('$__range')}", "left"),
            limits={0.0: YELLOW, 0.5: "green"},
            best=RED,
            decimals=1,
        ),
    ]


def _alerts() -> list[Panel]:
    columns = {
        "State": Column(by("max", (RULE, SEVERITY, NAME), number(STATE)), "short", {1: YELLOW, 2: RED}),
        "Time to detect": Column(by("max", (RULE, SEVERITY, NAME), number(DETECTION)), "s"),
    }
    return [
        states(
            "Alerts in time",
            "Every alert that was ever more than inactive.",
            Line(by("max", (RULE, NAME), number(STATE)), LEGEND),
            WORDS,
            height=9,
        ),
        rows(
            "Alerts",
            "State (0 inactive, 1 pending, 2 firing) and how long the latest occurrence took to fire.",
            columns,
            ("pea_alert_rule", "Rule"),
            width=12,
        ),
        over_time(
            "Firing by severity",
            "Alerts that fire, by severity.",
            "short",
            Line(f"sum by (pea_alert_severity) ({number(STATE)} == bool 2)", "{{pea_alert_severity}}"),
            stacked=True,
            width=6,
            height=9,
        ),
        over_time(
            "Time to detect",
            "From the first reading beyond the bound until the alert fired, of its latest occurrence.",
            "s",
            Line(number(DETECTION), LEGEND),
            width=6,
            height=9,
        ),
    ]


def _availability() -> list[Panel]:
    return [
        over_time(
            "Burn rate",
            "Failures, as a multiple of what the objective allows. 14.4 in an hour and in five minutes wakes somebody.",
            "short",
            *(Line(_burn(window), window) for window in WINDOWS),
            limits={1: YELLOW, 14.4: RED},
            width=12,
        ),
        over_time(
            "Failed tasks",
            "Share of tasks that failed.",
            "percentunit",
            Line(failed_share(TASK, window="5m"), "5 min"),
            limits={AVAILABLE: YELLOW},
            width=6,
        ),
        over_time(
            "Failed tasks by capability",
            "Tasks that failed in the last hour.",
            "short",
            Line(
                by("sum", names.PEA_CAPABILITY, grown(TASK, "1h", FAILED, suffix="_count")),
                "{{pea_capability}}",
            ),
            width=6,
        ),
    ]


def _latency() -> list[Panel]:
    return [
        over_time(
            "Burn rate of slow tasks",
            "Slow tasks, as a multiple of what the objective allows; above 250 ms, the bucket nearest to its 300 ms.",
            "short",
            *(Line(_slow(window), window) for window in WINDOWS),
            limits={1: YELLOW, 14.4: RED},
            width=12,
        ),
        over_time(
            "Slow tasks",
            "Share of tasks that took longer than 250 ms.",
            "percentunit",
            Line(slow_share(TASK, LIMIT, "5m"), "5 min"),
            limits={QUICK: YELLOW},
            width=12,
        ),
    ]
