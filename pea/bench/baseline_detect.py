"""The detector's scenarios with learned baselines in place of the thresholds that ship: no rule names a number."""

from __future__ import annotations

import statistics
import time
from functools import partial

import msgspec
import numpy as np

from pea.bench.detect import harmless, rules, scenario
from pea.bench.detect_faults import KINDS, Fault, Samples, fault, look_alikes
from pea.bench.figure import Figure
from pea.config import Seconds
from pea.telemetry import names
from pea.watch.rule import Clear, Normal, Rule, RuleSet

SEEDS = 5  # of each kind
DAYS = 1  # of each look-alike
LEAK_AT_S, LEAK_UNTIL_S = 36_000.0, 50_400.0
WARM_S = 10_800.0  # all is well for so long before a fault: in half an hour a baseline knows little
LEARN_S = 3_600.0


def detected(seeds: int = SEEDS, days: int = DAYS) -> list[Figure]:
    """Faults found and how soon, and false alarms on harmless days, by rules that were told nothing."""
    learned = without_numbers(rules())
    figures = []
    began = time.process_time()
    for kind in KINDS if seeds else ():
        made = leak if kind == "leak" else partial(fault, kind, warm_s=WARM_S)
        outcomes = [scenario(made(seed), learned, cause=False) for seed in range(seeds)]
        took = [one.took_s for one in outcomes if one.took_s is not None]
        early = sum(one.early for one in outcomes)
        note = f"median time {statistics.median(took):.0f} s" if took else ""
        share = 100.0 * len(took) / len(outcomes)
        figures.append(
            Figure(f"{kind}: found without a threshold", share, "%", len(outcomes), 100, note, at_least=True)
        )
        figures.append(Figure(f"{kind}: alerts before the fault", early, "alerts", len(outcomes), 0))
    found = [(day.kind, harmless(day, learned)) for seed in range(days) for day in look_alikes(seed)]
    for kind in dict.fromkeys(kind for kind, _ in found):
        alarms = [count for which, count in found if which == kind]
        note = "eleven series, each asked for 1 a month: 0.4 a day"
        figures.append(
            Figure(f"false alarms a day, {kind}", statistics.fmean(alarms), "alerts", len(alarms), note=note)
        )
    return [*figures, Figure("all of this", time.process_time() - began, "s of CPU")]


def leak(seed: int) -> Fault:
    """Memory that grows after ten hours without: what had grown from the beginning would be what is normal."""
    day = look_alikes(seed, LEAK_UNTIL_S)[-1]
    an_hour = float(np.random.default_rng(seed).uniform(1.5e8, 6e8))

    def samples() -> Samples:
        for at_s, values in day.samples():
            grown = max(at_s - LEAK_AT_S, 0.0) / 3_600 * an_hour
            memory = values[names.METRIC_PROCESS_MEMORY_USAGE]
            yield at_s, {**values, names.METRIC_PROCESS_MEMORY_USAGE: memory + grown}

    return msgspec.structs.replace(fault("leak", seed), at_s=LEAK_AT_S, until_s=LEAK_UNTIL_S, samples=samples)


def without_numbers(rule_set: RuleSet) -> RuleSet:
    """The rules that have a bound, with a baseline instead; objectives and silences are no thresholds."""
    bounded = [rule for rule in rule_set.rules if rule.above is not None or rule.below is not None]
    return msgspec.structs.replace(rule_set, rules=tuple(_learning(rule) for rule in bounded), inhibit=())


def _learning(rule: Rule) -> Rule:
    """The same signal, labels and direction; windows and times are those of any rule that says nothing of them."""
    normal = Normal(direction="down" if rule.below is not None else "up", learn=Seconds(LEARN_S))
    return Rule(
        name=rule.name,
        type=rule.type,
        severity=rule.severity,
        signal=rule.signal,
        by=rule.by,
        where=rule.where,
        clear=Clear(),
        baseline=normal,
    )
