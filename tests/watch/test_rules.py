"""Rule files: what is read, what is refused, and that a refusal says where and what would be right."""

import json
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pea.config import load
from pea.errors import ConfigError
from pea.watch.rule import Amount, Rule, Share
from pea.watch.rule_file import MAX_BYTES, BadRules, load_rules, parse_rules
from pea.watch.rule_schema import schema
from pea.watch.signals import listing, signal

ALERTS = Path(__file__).parents[2] / "alerts"
DEFAULT = (ALERTS / "default.yaml").read_text()


def faults(text: str) -> list[str]:
    """What is said of a text that must be refused."""
    with pytest.raises(BadRules) as caught:
        parse_rules([("mine.yaml", text)])
    return [str(fault) for fault in caught.value.faults]


def one_rule(lines: str) -> str:
    """A file with one rule of these further lines."""
    return f"version: 1\nrules:\n  - name: mine\n    signal: agent.latency.p95\n{lines}"


def test_the_reports_three_rules_ship_with_its_thresholds() -> None:
    """SPEC row 15: p95 > 1 s is high, memory > 1 GiB and growing over 10 samples critical, errors > 5 % medium."""
    rules = {rule.type: rule for rule in load_rules([ALERTS / "default.yaml"]).rules}
    said = {kind: (rule.above, rule.severity) for kind, rule in rules.items()}
    assert said["performance-degradation"] == (1.0, "high")
    assert said["memory-leak"] == (float(1 << 30), "critical")
    assert said["error-rate-spike"] == (0.05, "medium")
    assert (rules["memory-leak"].trend, rules["memory-leak"].samples) == ("increasing", 10)
    assert rules["performance-degradation"].message == "Agent {agent} response time p95 exceeded 1s: {value}"


def test_the_published_schema_is_the_structs() -> None:
    """alerts/schema.json is what the rules' structs say, so an editor and `pea rules check` agree."""
    made = msgspec.json.format(msgspec.json.encode(schema(), order="deterministic"), indent=2) + b"\n"
    assert (ALERTS / "schema.json").read_bytes() == made


def test_the_default_rules_fit_the_schema() -> None:
    """The rules that ship are valid for an editor too."""
    checker = pytest.importorskip("jsonschema_rs").validator_for(json.loads((ALERTS / "schema.json").read_text()))
    given = yaml.safe_load(DEFAULT)
    assert checker.is_valid(given)
    given["rules"][0]["severty"] = "high"
    assert not checker.is_valid(given)


def assert_read_or_refused(text: str) -> None:
    """The text is a rule set, or every fault that is told has file and line."""
    found: tuple[ConfigError, ...] = ()
    with suppress(BadRules):
        try:
            parse_rules([("mine.yaml", text)])
        except BadRules as error:
            found = error.faults
            raise
    assert all(fault.where is not None and fault.where.startswith("mine.yaml:") for fault in found)


@pytest.mark.parametrize(
    ("given", "value", "unit"),
    [("1s", 1.0, "s"), ("900ms", 0.9, "s"), ("1GiB", 1 << 30, "B"), ("5%", 0.05, "%"), ("2/s", 2, "/s"), (3, 3, "")],
)
def test_amounts_are_read_with_their_unit(given: object, value: float, unit: str) -> None:
    """An amount says what it counts."""
    amount = Amount.parse(given)
    assert (float(amount), amount.unit) == (pytest.approx(value), unit)


@pytest.mark.parametrize("given", ["1 year", "", "5 %%", None, True, [1], "1e9999", 1e300, "s", "9" * 100])
def test_what_is_no_amount_is_refused(given: object) -> None:
    """Anything else is a ValueError, never a wrong number."""
    with pytest.raises(ValueError):
        Amount.parse(given)


@pytest.mark.parametrize(("given", "value"), [("99.9%", 0.999), (0.5, 0.5), ("0%", 0.0)])
def test_shares_are_read(given: object, value: float) -> None:
    """A share is written in per cent or as a number up to one."""
    assert Share.parse(given) == pytest.approx(value)


TIME = "(write it in time, such as 1s or 900ms)"
MISTAKES = (
    ("", 3, "the rule has no condition (say above:, below:, burn:, change:, baseline: or absent:)"),
    ("above: 1s|severty: high", 6, "there is no field 'severty' (did you mean 'severity'?)"),
    ("above: 1s|severity: hihg", 6, "severity: invalid enum value 'hihg' (did you mean 'high'?)"),
    ("above: 1GiB", 5, f"above: 1GiB is not an amount of agent.latency.p95 {TIME}"),
    ("above: 1s|by: [agnt]", 6, "by: agent.latency.p95 has no label 'agnt' (did you mean 'agent'?)"),
    ("above: 1s|where: {agnt: a}", 6, "where: agent.latency.p95 has no label 'agnt' (did you mean 'agent'?)"),
    ("above: 1s|clear:|  below: 2s", 7, "clear.below: 2s is past 1s, where the rule fires (write 1s or less)"),
    ("above: 1s|clear:|  blow: 2s", 7, "there is no field 'blow' (did you mean 'below'?)"),
    ("above: 1s|clear: {above: 2s}", 6, "clear.above: a rule with above: is over below a bound (write below:)"),
    ("above: 1s|message: '{agnt}'|by: [agent]", 6, "message: {agnt} cannot be filled in (did you mean 'agent'?)"),
    ("above: 1s|message: '{value'", 6, "message: the braces do not match"),
    ("above: 1s|notify: [lob]", 6, "notify: no receiver is called 'lob' (did you mean 'log'?)"),
    ("above: 1s|trend: increasing", 6, "trend: a trend needs a gauge and `above`"),
    ("above: 1s|window: 3h", 6, "window: a window of agent.latency.p95 is 10 s to 15 minutes long"),
    ("above: 1s|below: 2s", 6, "below: above and below are conditions of their own (write two rules)"),
    ("above: 1s|absent: 1d", 6, "absent: above and absent are conditions of their own (write two rules)"),
    ("burn: {objective: 99%}", 4, "signal: agent.latency.p95 has no good and bad events"),
    ("above: 1s|change: {factor: 2}", 6, "change: above and change are conditions of their own (write two rules)"),
    ("change: {factor: 1}", 5, "change.factor: 1 times what it was is no change (write 2 or 0.5)"),
    ("change: {factor: 0.5}", 5, "change.factor: agent.latency.p95 is told only when it rises (write 2)"),
    ("change: {over: 14m}", 5, "change.over: with the window it is 15 minutes at most (write 600s)"),
    ("change: {over: 1m}", 5, "change.over: is at least as long as the window (write 300s)"),
    ("change: {at_least: 5%}", 5, f"change.at_least: 5% is not an amount of agent.latency.p95 {TIME}"),
    ("change: {facto: 2}", 5, "there is no field 'facto' (did you mean 'factor'?)"),
    ("change: {}|clear: {below: 1s}", 6, "clear.below: a change is over when the value is back, or has lasted"),
    ("above: 1s|confidence: 2", 6, "confidence: expected `float` < 1.0"),
)


@pytest.mark.parametrize(("lines", "line", "said"), MISTAKES)
def test_a_mistake_is_refused_with_its_line_and_the_nearest_word(lines: str, line: int, said: str) -> None:
    """File, line, what is wrong, and what was probably meant."""
    text = one_rule("".join(f"    {part}\n" for part in lines.split("|") if part))
    assert any(fault.startswith(f"mine.yaml:{line}: ") and said in fault for fault in faults(text))


def test_a_key_that_is_said_twice_is_refused() -> None:
    """YAML takes the last one without a word; here it is a mistake."""
    assert "mine.yaml:6: 'above' is said twice" in faults(one_rule("    above: 1s\n    above: 2s\n"))


def test_every_mistake_is_told_at_once() -> None:
    """One run of `pea rules check` shows all of them."""
    first, second = "{name: a, signal: agent.latncy.p95, above: 1s}", "{name: a, signal: task.errors, above: 2}"
    text = f"version: 1\nrules:\n  - {first}\n  - {second}\n"
    meant = "(did you mean 'agent.latency.p95'?; `pea rules signals` lists them)"
    assert faults(text) == [
        "mine.yaml:4: 'a' is already the name of the one at mine.yaml:3",
        f"mine.yaml:3: a: signal: no signal is called 'agent.latncy.p95' {meant}",
        "mine.yaml:4: a: above: 2 is not a share (write 5% or 0.05)",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "mine.yaml:1: a rule file is a mapping with version: and rules:"),
        ("rules: [", "mine.yaml:1: is not YAML"),
        ("version: 2\n", "mine.yaml:1: version: invalid enum value 2"),
        ("rules: []\n", "mine.yaml:1: 'version' is missing"),
        ("version: 1\nrules: 3\n", "mine.yaml:2: rules: a list is expected"),
        ("a: &a [x, x]\n" + "".join(f"c{n}: [{', '.join(['*a'] * 800)}]\n" for n in range(99)), "too much"),
        ("[" * 60 + "]" * 60, "mine.yaml:1: is nested too deeply"),
        ("version: 1\nrules: [{? [a] : b}]", "mine.yaml:2: is not YAML"),
        ("when: 2024-13-45\n", "mine.yaml:1: is not a rule file"),
        ("!!python/object:os.system {}\n", "mine.yaml:1: is not YAML"),
        ("x" * (MAX_BYTES + 1), "is larger than"),
    ],
)  # fmt: skip
def test_what_is_no_rule_file_is_refused(text: str, said: str) -> None:
    """Broken, huge or hostile YAML is an error with its place."""
    assert any(said in fault for fault in faults(text))


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    """The path is named, and the line of the first byte that is not UTF-8."""
    (tmp_path / "bytes.yaml").write_bytes(b"version: 1\n# \xff\n")
    with pytest.raises(BadRules) as caught:
        load_rules([tmp_path / "none.yaml", tmp_path / "bytes.yaml"])
    assert [str(fault) for fault in caught.value.faults] == [
        f"{tmp_path}/none.yaml: cannot be read: No such file or directory",
        f"{tmp_path}/bytes.yaml:2: is not UTF-8 (save it as UTF-8)",
    ]


def test_rule_files_are_relative_to_the_configuration(tmp_path: Path) -> None:
    """`watch.rules` in pea.yaml means the files beside it, wherever the service is started."""
    (tmp_path / "pea.yaml").write_text("watch: {rules: [mine.yaml, /etc/pea.yaml]}\n")
    assert load(tmp_path / "pea.yaml", environ={}).watch.rules == (str(tmp_path / "mine.yaml"), "/etc/pea.yaml")


def test_every_signal_that_is_listed_can_be_watched() -> None:
    """`pea rules signals` names nothing that a rule could not use."""
    assert [signal(one.name) for one in listing()] == listing()
    assert signal("agent.latency.p99.9").q == pytest.approx(0.999)


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(), st.text(max_size=12))
LISTS = st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=6), SCALARS, max_size=3)
VALUES = SCALARS | LISTS | st.lists(LISTS, max_size=2) | st.dictionaries(st.text(max_size=6), LISTS, max_size=2)


@given(st.dictionaries(st.sampled_from([*Rule.__struct_encode_fields__, "oops"]), VALUES, max_size=6))
@settings(max_examples=150, deadline=None)
def test_whatever_a_rule_says_it_is_read_or_refused_with_a_line(fields: dict[str, object]) -> None:
    """No value of any field crashes the reader; every refusal has file and line."""
    base = {"name": "mine", "signal": "agent.latency.p95", "above": "1s"}
    text = yaml.safe_dump({"version": 1, "rules": [{**base, **fields}]}, allow_unicode=True)
    assert_read_or_refused(text)


@given(st.integers(0, len(DEFAULT) - 1), st.sampled_from("{}[]:&*!|>'\"%@`,-\t\n\x00é0"), st.integers(0, 30))
@settings(max_examples=150, deadline=None)
def test_a_damaged_file_is_read_or_refused_with_a_line(place: int, letter: str, cut: int) -> None:
    """Whatever a slip of the editor makes of the default rules, it is told with file and line."""
    assert_read_or_refused(DEFAULT[:place] + letter + DEFAULT[place + cut :])
