"""Caches: who answers, what it costs, what is held, what leaves and why, and computations that were shared."""

from __future__ import annotations

from dashboards.board import Board, Choice
from dashboards.panels import RED, YELLOW, Line, Panel, figure, over_time
from dashboards.queries import SCOPE, by, calls, metric, number, per_second, quantile, ratio
from dashboards.shapes import p95, rate
from pea.telemetry import names

LOOKUP = names.METRIC_CACHE_LOOKUP_DURATION
CACHE, TIER = names.PEA_CACHE_NAME, names.PEA_CACHE_TIER
SHOWN, HIT = 'pea_cache_name=~"$cache"', 'pea_cache_hit="true"'
LOW = {0.0: RED, 0.5: YELLOW, 0.85: "green"}


def board() -> Board:
    """The page of the four tiers."""
    return Board(
        uid="pea-cache",
        title="PEA / Cache",
        about="Who answers, what it costs, what is held, what leaves and why, and computations that were shared.",
        home=LOOKUP,
        choices=(Choice("cache", "Cache", f"label_values({metric(LOOKUP)}_count{{{SCOPE}}}, pea_cache_name)"),),
        sections={"Now": _now(), "Lookups": _lookups(), "What is held": _held(), "Computations": _flights()},
    )


def _hits(labels: tuple[str, ...] | str = ()) -> str:
    return ratio(calls(LOOKUP, labels, HIT, SHOWN), calls(LOOKUP, labels, SHOWN))


def _joined() -> str:
    joined, started = (
        by("sum", (), per_second(names.METRIC_CACHE_FLIGHTS, f'pea_cache_flight="{what}"'))
        for what in ("joined", "started")
    )
    return f"{joined} / ({joined} + {started})"


def _now() -> list[Panel]:
    return [
        figure(
            "Hit ratio",
            "Share of lookups that any tier answered. More than 85 % are wanted.",
            "percentunit",
            Line(_hits(), "hits"),
            limits=LOW,
            decimals=1,
        ),
        figure("Lookups per second", "Lookups in all caches.", "reqps", Line(calls(LOOKUP, (), SHOWN), "lookups/s")),
        figure(
            "p95 of a lookup",
            "95 of 100 lookups take at most this long, through as many tiers as it took.",
            "s",
            Line(quantile(0.95, LOOKUP, (), SHOWN), "p95"),
        ),
        figure(
            "Held in memory",
            "Bytes that the tiers in memory account for.",
            "bytes",
            Line(f"sum ({number(names.METRIC_CACHE_USAGE, 'pea_cache_tier=~' + chr(34) + 'l1|l2' + chr(34))})", "held"),
        ),
        figure(
            "Shared computations",
            "Share of calls for a computation that waited for one under way: stampedes that did not happen.",
            "percentunit",
            Line(_joined(), "shared"),
            decimals=1,
        ),
        figure(
            "Faults of tiers",
            "Calls per second to a tier that failed or outlasted its time budget; they count as misses.",
            "cps",
            Line(by("sum", (), per_second(names.METRIC_CACHE_FAULTS)), "faults/s"),
            limits={0.001: RED},
        ),
    ]


def _lookups() -> list[Panel]:
    return [
        rate(
            "Who answers",
            "Lookups per second by the tier that had the value; none: it was computed.",
            LOOKUP,
            TIER,
            SHOWN,
        ),
        over_time(
            "Share by tier",
            "Share of all lookups that each tier answered.",
            "percentunit",
            Line(
                f"{calls(LOOKUP, TIER, SHOWN)} / ignoring (pea_cache_tier) group_left () {calls(LOOKUP, (), SHOWN)}",
                "{{pea_cache_tier}}",
            ),
            stacked=True,
            most=1,
        ),
        over_time(
            "Hit ratio by cache",
            "Share of each cache's lookups that hit. An alert fires below 50 %.",
            "percentunit",
            Line(_hits(CACHE), "{{pea_cache_name}}"),
            limits={0.5: YELLOW},
            most=1,
        ),
        p95(
            "p95 by tier",
            "What a lookup costs by the tier that answered.",
            LOOKUP,
            TIER,
            SHOWN,
            exemplars=False,
            width=12,
        ),
        rate("Lookups by cache", "Lookups per second.", LOOKUP, CACHE, SHOWN, width=12),
    ]


def _held() -> list[Panel]:
    used, limit = (by("sum", TIER, number(name)) for name in (names.METRIC_CACHE_USAGE, names.METRIC_CACHE_LIMIT))
    return [
        over_time(
            "Bytes by tier",
            "Bytes accounted to each tier; L3 is a server of its own and says what it holds itself.",
            "bytes",
            Line(used, "{{pea_cache_tier}}"),
            stacked=True,
        ),
        over_time(
            "Fullness",
            "Bytes held, as a share of what the tier may hold.",
            "percentunit",
            Line(f"{used} / ({limit} > 0)", "{{pea_cache_tier}}"),
            limits={0.95: YELLOW},
            most=1,
        ),
        rate(
            "What leaves, and why",
            "Values per second that left a tier: for room, by age, made stale by an event, or refused entry.",
            names.METRIC_CACHE_EVICTIONS,
            (TIER, names.PEA_CACHE_REASON),
            unit="cps",
            legend="{{pea_cache_tier}} {{pea_cache_reason}}",
        ),
    ]


def _flights() -> list[Panel]:
    return [
        rate(
            "Computations",
            "Per second: computed, shared with a computation under way, cancelled because nobody waited any more.",
            names.METRIC_CACHE_FLIGHTS,
            names.PEA_CACHE_FLIGHT,
            unit="cps",
            stacked=False,
            width=12,
        ),
        rate(
            "Faults by tier",
            "Calls per second to a tier that failed or outlasted its time budget.",
            names.METRIC_CACHE_FAULTS,
            TIER,
            unit="cps",
            stacked=False,
            width=12,
        ),
    ]
