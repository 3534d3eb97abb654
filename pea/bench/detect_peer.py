"""The same faults under Prometheus' own engine: the same calls as metrics, the exported rules, promtool to evaluate."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from bisect import bisect_left
from collections.abc import Container, Iterable, Mapping
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from pea.bench.detect_faults import Fault
from pea.bench.detect_fleet import Touch, Traffic, traces
from pea.telemetry import names
from pea.telemetry.series import classic_bounds
from pea.watch.families import FAMILIES
from pea.watch.prometheus import export
from pea.watch.rehearse import EPOCH_S, INTERVAL_S
from pea.watch.rule import RuleSet

FAMILY_LABELS: Mapping[str, tuple[str, ...]] = {
    "agent": (names.GEN_AI_AGENT_NAME, names.ERROR_TYPE),
    "cache": (names.PEA_CACHE_TIER,),
    "task": (),
}
PREFIXES = {"invoke_agent": "agent", "cache.lookup": "cache", "task": "task"}
TIMEOUT_S = 120
EPOCH_NS, STEP_NS = int(EPOCH_S * 1e9), int(INTERVAL_S * 1e9)

_TIME = re.compile(r"time: ((?:\d+(?:h|m|s))+),")
_PART = re.compile(r"(\d+)(h|m|s)")
_SECONDS = {"h": 3_600, "m": 60, "s": 1}


def promtool() -> str | None:
    """Debian's `prometheus` package has it; None where it is not installed."""
    return shutil.which("promtool")


def time_to_alert(given: Fault, rules: RuleSet) -> float | None:
    """Seconds from the fault until Prometheus fires its rule; None when it does not, or without spans."""
    tool = promtool()
    if tool is None or given.traffic is None:
        return None
    firing = _firing(tool, rules, given.rule, given.traffic, given.touch, given.at_s)
    return next((at_s - given.at_s for at_s in firing if at_s >= given.at_s), None)


def false_alarms(traffic: Traffic, touch: Touch, rules: RuleSet, allowed: Container[str]) -> int | None:
    """How often Prometheus begins to fire, by any exported rule over spans, on calls that are well; None without it."""
    tool = promtool()
    if tool is None:
        return None
    held = RuleSet(tuple(one for one in rules.rules if one.name not in allowed))
    moments = _firing(tool, held, "", traffic, touch, 0.0)
    return sum(now - before > INTERVAL_S for before, now in zip([-math.inf, *moments], moments, strict=False))


def _firing(tool: str, rules: RuleSet, rule: str, traffic: Traffic, touch: Touch, from_s: float) -> list[float]:
    """The moments from ``from_s`` on at which a rule (any, by default) fires: promtool's tests expect it never to."""
    first = int(from_s // INTERVAL_S + 1)
    last = int(traffic.until_s // INTERVAL_S)
    named = f'alertname="{rule}", ' if rule else ""
    expression = f'count(ALERTS{{{named}alertstate="firing"}})'
    moments = [
        {"expr": expression, "eval_time": f"{step * int(INTERVAL_S)}s", "exp_samples": []}
        for step in range(first, last + 1)
    ]
    with TemporaryDirectory(prefix="pea-promtool-") as folder:
        chosen = [one for one in rules.rules if rule in {"", one.name}]
        exported = Path(folder) / "rules.yaml"
        exported.write_text(yaml.safe_dump(export(RuleSet(tuple(chosen))).groups))
        test = {"interval": "10s", "input_series": _series(traffic, touch, last), "promql_expr_test": moments}
        trial = Path(folder) / "test.yaml"
        trial.write_text(
            yaml.dump({"rule_files": ["rules.yaml"], "evaluation_interval": "10s", "tests": [test]}, Dumper=_dumper())
        )
        done = subprocess.run(
            [tool, "test", "rules", trial], capture_output=True, text=True, check=False, timeout=TIMEOUT_S
        )
    return sorted({_seconds(found) for found in _TIME.findall(done.stdout + done.stderr)})


def _series(traffic: Traffic, touch: Touch, steps: int) -> list[dict[str, str]]:
    """Histograms as a scrape every ten seconds would have found them."""
    counts: dict[tuple[str, tuple[str, ...]], list[list[int]]] = {}
    for _, spans in traces(traffic, touch):
        for one in spans:
            family = PREFIXES.get(one.name.partition(" ")[0])
            if family is None:
                continue
            labels = tuple(str(one.attributes.get(key, "")) for key in FAMILY_LABELS[family])
            bounds = classic_bounds(FAMILIES[family].metric)
            held = counts.get((family, labels))
            if held is None:
                held = counts[family, labels] = [[0] * (len(bounds) + 1) for _ in range(steps + 1)]
            step = -(-(one.end_ns - EPOCH_NS) // STEP_NS)  # the scrape after its end
            if step <= steps:
                held[step][bisect_left(bounds, one.duration_ns / 1e9)] += 1
    return [line for (family, labels), rows in counts.items() for line in _lines(family, labels, rows)]


def _lines(family: str, values: tuple[str, ...], rows: list[list[int]]) -> Iterable[dict[str, str]]:
    metric = f"{FAMILIES[family].metric.replace('.', '_')}_seconds"
    pairs = zip(FAMILY_LABELS[family], values, strict=True)
    labels = [f'{key.replace(".", "_")}="{value}"' for key, value in pairs]
    bounds = classic_bounds(FAMILIES[family].metric)
    for place, edge in enumerate([*map(str, bounds), "+Inf"]):
        name = f"{metric}_bucket{{{', '.join([*labels, f'le={chr(34)}{edge}{chr(34)}'])}}}"
        yield {"series": name, "values": " ".join(map(str, accumulate(sum(row[: place + 1]) for row in rows)))}
    yield {
        "series": f"{metric}_count{{{', '.join(labels)}}}",
        "values": " ".join(map(str, accumulate(map(sum, rows)))),
    }


def _dumper() -> type[yaml.SafeDumper]:
    """The C implementation where it is there: these files have megabytes."""
    found: type[yaml.SafeDumper] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return found


def _seconds(text: str) -> float:
    return float(sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(text)))
