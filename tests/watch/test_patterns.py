"""Recommendations from hours of figures: each pattern with its evidence and settings, and none where all is well."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml

from pea.config.loading import load
from pea.store.series import SeriesStore
from pea.telemetry import names
from pea.watch.patterns import EVERY_S, Patterns, Tuned, merged, patterns
from pea.watch.recommend import Recommendation

END_S = 1_800_000_000.0
STEPS = 2_160  # six hours
TUNED = Tuned(concurrency=8, cache_ttl_s=900)
HITS = f"{names.METRIC_CACHE_LOOKUP_DURATION}{{{names.PEA_CACHE_HIT}=%s,{names.PEA_CACHE_NAME}=places}}:count"
BREAKER = f"{names.METRIC_BREAKER_STATE}{{{names.GEN_AI_AGENT_NAME}=travel,{names.PEA_BREAKER_NAME}=travel.plan}}"


def recorded(**series: Callable[[int], float]) -> SeriesStore:
    """Six hours of ten-second samples, by short names of series."""
    known = {
        "memory": names.METRIC_PROCESS_MEMORY_USAGE,
        "accounted": f"{names.METRIC_AGENT_MEMORY}{{{names.GEN_AI_AGENT_NAME}=travel}}",
        "breaker": BREAKER,
        "active": names.METRIC_TASK_ACTIVE,
        "waits": f"{names.METRIC_TASK_QUEUE_DURATION}{{{names.PEA_TASK_PRIORITY}=normal}}:count",
        "waited": f"{names.METRIC_TASK_QUEUE_DURATION}{{{names.PEA_TASK_PRIORITY}=normal}}:sum",
        "hits": HITS % "True",
        "misses": HITS % "False",
    }
    store = SeriesStore(50)
    for step in range(STEPS):
        values = {known[name]: shape(step) for name, shape in series.items()}
        store.sample(END_S - 10 * (STEPS - 1 - step), values)
    return store


def teeth(step: int) -> float:
    return 3e8 + 6e7 * (step % 24) / 24


WRONG = {
    "memory-cleanup": ({"memory": lambda n: teeth(n) + 4e5 * n}, "an hour, 1"),
    "breaker-flapping": ({"breaker": lambda n: 2.0 * (n % 300 < 6)}, "opened 7 times and was open for 8 min"),
    "concurrency": (
        {"active": lambda n: 8.0 if n % 3 else 2.0, "waits": lambda n: 2.0 * n, "waited": lambda n: 0.4 * n},
        "all 8 places were taken for 67% of the time; 4,318 tasks waited 200 ms each",
    ),
    "cache-misses": ({"hits": lambda n: 1.0 * n, "misses": lambda n: 3.0 * n}, "25% of 8,636 lookups hit"),
}
WELL = {
    "teeth": {"memory": teeth},
    "a cache that fills": {"memory": lambda n: teeth(n) + 4e5 * n, "accounted": lambda n: 4e5 * n},
    "two openings": {"breaker": lambda n: 2.0 * (n % 1_500 < 6 and n > 10)},
    "full but nobody waits": {"active": lambda n: 8.0, "waits": lambda n: 2.0 * n, "waited": lambda n: 0.001 * n},
    "few lookups": {"hits": lambda n: 0.0 * n, "misses": lambda n: 0.1 * n},
    "nothing recorded": {},
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_has_been_wrong_for_hours_is_told_with_its_figures(kind: str) -> None:
    """One recommendation, with priority, evidence, effect, and settings that pea.yaml accepts."""
    series, evidence = WRONG[kind]
    (found,) = patterns(recorded(**series), TUNED, END_S)
    assert found.kind == kind
    assert evidence in found.evidence
    assert found.effect
    assert found.priority in {"high", "medium", "low"}


@pytest.mark.parametrize("kind", WRONG)
def test_the_settings_to_change_are_settings(kind: str, tmp_path) -> None:
    """The lines can be put into pea.yaml as they are, and change something."""
    (found,) = patterns(recorded(**WRONG[kind][0]), TUNED, END_S)
    assert isinstance(yaml.safe_load(found.settings), dict)
    path, empty = tmp_path / "pea.yaml", tmp_path / "empty.yaml"
    path.write_text(found.settings)
    empty.write_text("{}")
    assert load(path, environ={}).cache != load(empty, environ={}).cache or "runtime" in found.settings


@pytest.mark.parametrize("kind", WELL)
def test_what_is_usual_is_not_told(kind: str) -> None:
    """Teeth of a collector, a cache that fills, a breaker that opened twice, full places without waiting."""
    assert patterns(recorded(**WELL[kind]), TUNED, END_S) == []


def test_a_look_is_taken_now_and_then() -> None:
    """Within five minutes the last look's answer stands; also when the clock jumps back it is looked again."""
    store = recorded(**WRONG["cache-misses"][0])
    held = Patterns(store, TUNED)
    first = held.advice(END_S)
    assert held.advice(END_S + EVERY_S - 1) is first
    again = held.advice(END_S + EVERY_S)
    assert again is not first
    assert held.advice(END_S - 60) is not again


def test_what_has_lasted_stands_for_what_is_so_now() -> None:
    """Of one kind and subject one is told; the most pressing first."""
    now = Recommendation(kind="errors", subject="a", priority="medium", what="", evidence="now", effect="")
    long = Recommendation(kind="errors", subject="a", priority="high", what="", evidence="long", effect="")
    other = Recommendation(kind="errors", subject="b", priority="low", what="", evidence="", effect="")
    assert merged([other, now], [long]) == [long, other]
