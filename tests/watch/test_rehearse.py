"""Rules under test and rules exported: what ships does what it says, here and in a real Prometheus."""

import re
import shutil
import subprocess
from bisect import bisect_left
from itertools import accumulate
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from click.testing import CliRunner

from pea.cli import rules as rules_command
from pea.errors import ConfigError
from pea.store import SpanStore
from pea.store.series import SeriesStore
from pea.telemetry.series import classic_bounds
from pea.watch.prometheus import export
from pea.watch.rehearse import Check, Expected, Spans, Stage, Trial, events, expand, perform, span
from pea.watch.replay import replayed
from pea.watch.rule_file import load_rules, parse_rules

ALERTS = Path(__file__).parents[2] / "alerts"
PROMTOOL = shutil.which("promtool")


def run(*words: str) -> Any:
    """`pea rules` with these words."""
    return CliRunner().invoke(rules_command.command, words)


def test_the_rules_that_ship_pass_their_own_tests() -> None:
    """`pea rules test alerts/default_test.yaml`."""
    done = run("test", str(ALERTS / "default_test.yaml"))
    assert done.exit_code == 0
    assert re.fullmatch(r"(\d+) of \1 tests passed\n", done.output)


def test_what_differs_is_told() -> None:
    """An alert that is missing, one too many, and another message."""
    rules = load_rules([ALERTS / "default.yaml"])
    slow = Spans(of="agent", labels={"agent": "a"}, until=600, every=1, take=2)
    rule = "agent-latency-p95"
    checks = (Check(at=60, rule=rule, expect=(Expected(labels={"agent": "b"}),)), Check(at=300, rule=rule))
    assert perform(Trial(name="t", spans=(slow,), alerts=checks), rules) == [
        f"t: {rule} at 60 s: agent=a is firing, and is not expected",
        f"t: {rule} at 60 s: agent=b should be firing, and all is well",
        f"t: {rule} at 300 s: agent=a is firing, and is not expected",
    ]
    said = (Check(at=300, rule=rule, expect=(Expected(labels={"agent": "a"}, message="slow"),)),)
    (line,) = perform(Trial(name="t", spans=(slow,), alerts=said), rules)
    assert line.endswith("should say 'slow', and says 'Agent a response time p95 exceeded 1s: 1.99 s'")


def test_values_are_written_as_in_promtool() -> None:
    """Numbers, gaps, and runs with a step."""
    assert expand("1 _ 5+1x3 2x2 _x2 4-1x1") == [1, None, 5, 6, 7, 8, 2, 2, 2, None, None, 4, 3]
    with pytest.raises(ConfigError, match="'five' is no value"):
        expand("five")


def test_mistakes_in_tests_are_told(tmp_path: Path) -> None:
    """Unknown spans, rules, fields, and files that are not YAML."""
    rules = parse_rules([("r", "version: 1\nrules: []\n")])
    with pytest.raises(ConfigError, match="did you mean 'agent'"):
        list(events(Trial(name="t", spans=(Spans(of="agnt", until=1, every=1),), alerts=())))
    with pytest.raises(ConfigError, match="no rule is called 'x'"):
        perform(Trial(name="t", alerts=(Check(at=1, rule="x"),)), rules)
    (tmp_path / "t.yaml").write_text("tests: [")
    assert isinstance(run("test", str(tmp_path / "t.yaml")).exception, ConfigError)
    (tmp_path / "t.yaml").write_text("tests: []\nrule_files: []\noops: 1")
    assert "oops" in str(run("test", str(tmp_path / "t.yaml")).exception)


def test_check_tells_mistakes_and_exits_with_2(tmp_path: Path) -> None:
    """Wrong use is 2; good rules are 0."""
    (tmp_path / "r.yaml").write_text("version: 1\nrules: [{name: a, signal: agent.erors, above: 5%}]")
    done = run("check", str(tmp_path / "r.yaml"))
    assert done.exit_code == 2
    assert (
        f"{tmp_path}/r.yaml:2: a: signal: no signal is called 'agent.erors' (did you mean 'agent.errors'?"
        in done.output
    )
    count = len(load_rules([ALERTS / "default.yaml"]).rules)
    assert run("check", str(ALERTS / "default.yaml")).output == f"{count} rules are right\n"
    assert run("signals", "--json").exit_code == run("schema").exit_code == 0


def test_the_stored_past_is_replayed(tmp_path: Path) -> None:
    """Spans of the store, in order, under rules that were not there then."""
    store = SpanStore(tmp_path / "spans.db")
    import time

    shift = time.time() - 1_800_000_000.0 - 1_000
    store.add(span("agent", {"agent": "a"}, shift + n, 2.0, n + 1) for n in range(600))
    assert store.close()
    SeriesStore(10, tmp_path / "series.bin").save()
    found = list(replayed(tmp_path, load_rules([ALERTS / "default.yaml"]), 1_200))
    assert "firing" in [one.alert.state for one in found if one.alert.rule == "agent-latency-p95"]


def exported(path: Path) -> Path:
    """The default rules as a file for Prometheus."""
    found = export(load_rules([ALERTS / "default.yaml"]))
    assert found.left_out == ()
    path.write_text(yaml.safe_dump(found.groups))
    return path


@pytest.mark.service
@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian's prometheus)")
def test_promtool_accepts_the_exported_rules(tmp_path: Path) -> None:
    """Every default rule can be said in PromQL."""
    path = exported(tmp_path / "pea.yaml")
    done = subprocess.run([str(PROMTOOL), "check", "rules", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{len(load_rules([ALERTS / 'default.yaml']).rules)} rules found" in done.stdout


STORIES = {
    "slow": ("agent-latency-p95", [(0, 600, 0.2, 0.0), (600, 1_500, 2.0, 0.0), (1_500, 3_000, 0.2, 0.0)]),
    "failing": ("agent-error-rate", [(0, 600, 0.2, 0.0), (600, 1_500, 0.2, 0.5), (1_500, 3_000, 0.2, 0.0)]),
    "quiet": ("agent-latency-p95", [(0, 3_000, 0.7, 0.01)]),
}


@pytest.mark.service
@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian's prometheus)")
@pytest.mark.parametrize("story", STORIES)
def test_prometheus_fires_when_pea_does(tmp_path: Path, story: str) -> None:
    """The same calls, folded into metrics for Prometheus' own engine: plain rules begin within one evaluation."""
    rule, phases = STORIES[story]
    made = [
        event
        for start, end, take, failed in phases
        for event in Spans(
            of="agent", labels={"agent": "a"}, from_=start, until=end, every=0.2, take=take, failed=failed
        ).events()
    ]
    sure = load_rules([ALERTS / "default.yaml"])
    plain = msgspec.structs.replace(sure, rules=[msgspec.structs.replace(one, confidence=0.5) for one in sure.rules])
    began, surely = (
        [
            at
            for at, change in Stage(found).play(made, 3_000)
            if (change.alert.rule, change.alert.state) == (rule, "firing")
        ]
        for found in (plain, sure)
    )
    # With its bounds PEA is sure no later than that, and mostly sooner.
    assert len(began) == len(surely)
    assert all(soon <= at + 10 for soon, at in zip(surely, began, strict=True))
    moments = [(f"{at + offset:.0f}s", on) for at in began for offset, on in ((-20, False), (10, True))]
    tests = [{"expr": firing(rule), "eval_time": at, "exp_samples": ALERT if on else []} for at, on in moments]
    if not began:
        tests = [{"expr": firing(rule), "eval_time": "3000s", "exp_samples": []}]
    text = {
        "rule_files": [str(exported(tmp_path / "pea.yaml"))],
        "evaluation_interval": "10s",
        "tests": [{"interval": "10s", "input_series": series_of(made, 3_000), "promql_expr_test": tests}],
    }
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(text))
    done = subprocess.run(
        [str(PROMTOOL), "test", "rules", tmp_path / "test.yaml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert bool(began) == (story != "quiet")


ALERT = [{"labels": "{}", "value": 1}]


def firing(rule: str) -> str:
    """Whether the alert fires, without its labels."""
    return f'count(ALERTS{{alertname="{rule}", alertstate="firing"}})'


def series_of(made: list[Any], until: int) -> list[dict[str, str]]:
    """What /metrics would have shown every ten seconds."""
    bounds = classic_bounds("pea.agent.call.duration")
    steps = until // 10 + 1
    found = []
    for error in ("", "error"):
        chosen = [(at, one) for at, one in made if one.attributes.get("error.type", "") == error]
        counts = [[0] * (len(bounds) + 1) for _ in range(steps)]
        for at, one in chosen:
            if at <= until:
                counts[min(-(-int(at * 10) // 100), steps - 1)][bisect_left(bounds, one.duration_ns / 1e9)] += 1
        labels = f'gen_ai_agent_name="a", error_type="{error}"'
        for place, edge in enumerate([*map(str, bounds), "+Inf"]):
            values = accumulate(sum(row[: place + 1]) for row in counts)
            name = f'pea_agent_call_duration_seconds_bucket{{{labels}, le="{edge}"}}'
            found.append({"series": name, "values": " ".join(map(str, values))})
        totals = accumulate(sum(row) for row in counts)
        found.append(
            {"series": f"pea_agent_call_duration_seconds_count{{{labels}}}", "values": " ".join(map(str, totals))}
        )
    return found
