"""Faults of known time, place and kind, and what only looks like one; each made from a seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import msgspec
import numpy as np

from pea.bench.detect_fleet import AGENTS, NO_EFFECT, Effect, Touch, Traffic
from pea.telemetry import names

WARM_S = 1_800.0  # all is well for so long
FAULT_S = 600.0
LEAK_S = 7_200.0
DAY_S = 86_400.0
STEP_S = 10

Samples = Iterator[tuple[float, Mapping[str, float]]]


class Fault(msgspec.Struct, frozen=True):
    """What goes wrong from ``at_s`` on: the rule that must say so, for which labels, and who is to blame."""

    kind: str
    at_s: float
    until_s: float
    rule: str
    labels: Mapping[str, str]
    guilty: Callable[[Mapping[str, object]], bool] | None
    traffic: Traffic | None
    touch: Touch
    samples: Callable[[], Samples] = lambda: iter(())


def steady(_: float) -> float:
    """Three tasks a second: about 26 calls a minute for each agent."""
    return 3.0


def fault(kind: str, seed: int, warm_s: float = WARM_S) -> Fault:
    """The fault of a kind after all was well for ``warm_s``, its place and moment chosen by the seed."""
    random = np.random.default_rng(seed)
    agent = AGENTS[int(random.integers(len(AGENTS)))]
    at_s = warm_s + float(random.uniform(0, 60))
    size = float(random.uniform(1.5, 4.0))  # the stated size: seconds more, at least 1.5
    touch, guilty, rule, labels = _MAKERS[kind](agent, at_s, size)
    if kind in {"leak", "blocked loop"}:
        until = LEAK_S if kind == "leak" else at_s + FAULT_S
        begin = 300.0 if kind == "leak" else at_s
        return Fault(kind, begin, until, rule, labels, guilty, None, touch, lambda: _samples(kind, begin, until, seed))
    rate = steady if kind != "traffic drop" else (lambda now_s: 3.0 if now_s < at_s else 0.02)
    return Fault(kind, at_s, at_s + FAULT_S, rule, labels, guilty, Traffic(rate, at_s + FAULT_S, seed), touch)


Made = tuple[Touch, "Callable[[Mapping[str, object]], bool] | None", str, Mapping[str, str]]


def _place(cause: Mapping[str, object]) -> Mapping[str, str]:
    found = cause["place"]
    assert isinstance(found, dict)
    return found


def _slow_agent(agent: str, at_s: float, size: float) -> Made:
    touch = _when(at_s, lambda who, what: who == agent and what == "invoke", Effect(size))
    return touch, lambda cause: _place(cause)["agent"] == agent, "agent-latency-p95", {"agent": agent}


def _slow_downstream(agent: str, at_s: float, size: float) -> Made:
    # The outside system is asked by one call in twenty, by all while its cache is empty: here every worker's job too.
    touch = _when(at_s, lambda who, what: who == agent and what in {"connector", "worker"}, Effect(size))
    return (
        touch,
        lambda cause: _place(cause)["agent"] == agent and not _place(cause)["operation"].startswith("invoke"),
        "agent-latency-p95",
        {"agent": agent},
    )


def _slow_tier(agent: str, at_s: float, size: float) -> Made:
    del agent
    touch = _when(at_s, lambda _, what: what == "cache:l3", Effect(size))
    return touch, lambda cause: _place(cause)["operation"].startswith("cache"), "cache-tier-slow", {"tier": "l3"}


def _error_burst(agent: str, at_s: float, size: float) -> Made:
    touch = _when(at_s, lambda who, what: who == agent and what == "invoke", Effect(0.0, "upstream_refused"))
    del size
    return touch, lambda cause: _place(cause)["agent"] == agent, "agent-error-rate", {"agent": agent}


def _worker_crashes(agent: str, at_s: float, size: float) -> Made:
    del size
    touch = _when(at_s, lambda who, what: who == agent and what in {"worker", "cache:l2"}, Effect(0.01, "worker_lost"))
    return touch, lambda cause: _place(cause)["agent"] == agent, "agent-error-rate", {"agent": agent}


def _drop(agent: str, at_s: float, size: float) -> Made:
    del agent, at_s, size
    return _nothing, None, "traffic-low", {}


def _leak(agent: str, at_s: float, size: float) -> Made:
    del agent, at_s, size
    return _nothing, lambda cause: cause.get("agent") == "", "memory-leak", {}


def _blocked(agent: str, at_s: float, size: float) -> Made:
    del agent, at_s, size
    return _nothing, None, "loop-lag", {}


_MAKERS: Mapping[str, Callable[[str, float, float], Made]] = {
    "slow agent": _slow_agent,
    "slow downstream": _slow_downstream,
    "slow cache tier": _slow_tier,
    "error burst": _error_burst,
    "worker crash loop": _worker_crashes,
    "traffic drop": _drop,
    "leak": _leak,
    "blocked loop": _blocked,
}
KINDS = tuple(_MAKERS)


def _nothing(now_s: float, agent: str, what: str) -> Effect:
    del now_s, agent, what
    return NO_EFFECT


def _when(at_s: float, concerns: Callable[[str, str], bool], effect: Effect) -> Touch:
    def touch(now_s: float, agent: str, what: str) -> Effect:
        return effect if now_s >= at_s and concerns(agent, what) else NO_EFFECT

    return touch


def _samples(kind: str, begin: float, until: float, seed: int) -> Samples:
    random = np.random.default_rng(seed)
    per_hour = float(random.uniform(1.5e8, 6e8))
    for at in range(0, int(until), STEP_S):
        tooth = (at % 240) / 240 * 6e7
        grown = max(at - begin, 0.0) / 3_600 * per_hour if kind == "leak" else 0.0
        cache = min(at / 1_200, 1.0) * 5e7
        values = {
            names.METRIC_PROCESS_MEMORY_USAGE: 1.2e9 + tooth + grown + cache + float(random.normal(0, 1e6)),
            f"{names.METRIC_AGENT_MEMORY}{{{names.GEN_AI_AGENT_NAME}=travel}}": cache,
            f"{names.METRIC_LOOP_LAG}:p99": 0.8 if kind == "blocked loop" and at >= begin else 0.002,
        }
        yield float(at), values


class LookAlike(msgspec.Struct, frozen=True):
    """A day on which nothing is wrong."""

    kind: str
    traffic: Traffic
    touch: Touch
    samples: Callable[[], Samples]


def look_alikes(seed: int, seconds: float = DAY_S) -> list[LookAlike]:
    """A day of each harmless kind."""
    few = Traffic(lambda _now_s: 0.0, until_s=seconds, seed=seed, agents=3)

    def traffic(rate: Callable[[float], float], **more: float) -> Traffic:
        return msgspec.structs.replace(few, rate=rate, **more)

    def wave(now_s: float) -> float:
        return 0.15 * (1.1 + math.sin(2 * math.pi * now_s / DAY_S))

    def low(_: float) -> float:
        return 0.01

    def usual(_: float) -> float:
        return 0.15

    def outlier(now_s: float, agent: str, what: str) -> Effect:
        # One call of 9 s every twenty minutes.
        return Effect(9.0) if agent == AGENTS[0] and what == "invoke" and now_s % 1_200 < 5 else NO_EFFECT

    def cold(now_s: float, agent: str, what: str) -> Effect:
        del agent
        return Effect(0.25) if now_s < 900 and what.startswith("cache") else NO_EFFECT

    def deploy(now_s: float, agent: str, what: str) -> Effect:
        del agent
        return Effect(0.1) if now_s > seconds / 2 and what == "invoke" else NO_EFFECT

    def quiet() -> Samples:
        return iter(())

    def collected() -> Samples:
        return _samples("sawtooth", 0.0, seconds, seed)

    return [
        LookAlike("near the bound", traffic(usual, usual_s=0.43, spread=0.6), _nothing, quiet),
        LookAlike("daily wave", traffic(wave), _nothing, quiet),
        LookAlike("low traffic", traffic(low, usual_s=0.4, spread=0.7), _nothing, quiet),
        LookAlike("one slow outlier", traffic(usual), outlier, quiet),
        LookAlike(
            "cold cache and deploy step",
            traffic(usual),
            lambda *about: max(cold(*about), deploy(*about), key=lambda one: one.more_s),
            quiet,
        ),
        LookAlike("garbage collector", traffic(low), _nothing, collected),
    ]


HARMLESS = tuple(day.kind for day in look_alikes(0))
