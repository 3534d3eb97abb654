"""The page says what a result has, computes what it says it computes, and names what is missing."""

from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from pea.bench.figure import Figure
from pea.bench.measure import Absent, Line
from pea.bench.report import COSTS, DRAINED, SIZES, SPAN, find, nanoseconds, report
from pea.bench.result import Measured, environment, result, write
from pea.bench.suites import SUITES
from pea.cli.bench import command

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def _result(**suites):
    made = {name: Measured("about", tuple(entries), 1.0, 1.0) for name, entries in suites.items()}
    return result("whole", BEGAN, made, environment())


def _line(what, ns, ratio=0.1, budget=0.12):
    return Line(what, ns, "peer", ns / ratio, ratio, 0.1, 10, budget, ratio <= budget, "how")


def _full():
    spans = [
        _line("span with 6 attributes, current, ended", 2_000.0),
        _line("CPU of 512 spans recorded", 512 * 7_000.0),
    ]
    return _result(
        spans=spans,
        drain=[Figure("drain of a span at 10,000 spans/s", 3.0, "µs")],
        tasks=[
            Figure("CPU of a task", 1.5, "ms"),
            Figure("failed", 2.0, "%", 1, 0.1),
            Absent("x", "other", "not here"),
        ],
        scaling=[
            Figure("stored spans: storing: a span at 160,000", 20.0, "µs", note="20 µs at 10"),
            Figure("  grows as a power of", 0.05, "", 1, 0.1, "interval"),
            Figure("rules: one evaluation over ten agents: a rule", 200.0, "µs"),
        ],
        store=[Figure("on disk", 200.0, "bytes/span")],
    )


def test_the_model_is_computed_from_the_figures():
    """20 tasks of 1.5 ms, 1,000 spans of 23 µs, 30 rules over 15 agents of 200 µs for ten, each ten seconds: 5.4 %."""
    page = report(_full())
    assert "5 % of a core" in page
    assert "17.3 GB a day" in page
    assert "| a span with 6 attributes, recorded | 2 µs | 500,000 |" in page
    assert nanoseconds(_full(), SPAN) == 2_000
    assert nanoseconds(_full(), DRAINED) == 3_000


def test_what_is_not_met_and_what_is_missing_is_said():
    """Failed budgets are listed at the top, absent peers with their reason, costs without a figure as such."""
    page = report(_full())
    assert "- tasks: failed: 2 % (budget ≤ 0.1)" in page
    assert "- other: missing: not here" in page
    assert "| a task accepted, journaled and ended, alone | not in this run | | |" in page
    assert "lacks suites" in report(_result())


def test_every_row_of_the_model_names_a_suite():
    """A renamed suite would leave a row empty for ever."""
    assert {cost.suite for cost in (*COSTS, *SIZES)} <= SUITES.keys()
    assert find(_result(), SPAN) is None


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--quick", "--full"], 2, "not both"),
        (["--json", "spans"], 1, "is a suite, not a file"),
        (["--from", "none.json"], 1, "cannot be read"),
        (["spann"], 1, "no suite is called"),
    ],
)
def test_wrong_use_is_told(arguments, code, said):
    """Before anything is measured."""
    ended = CliRunner().invoke(command, arguments)
    assert ended.exit_code == code
    assert said in (ended.output + str(ended.exception))


def test_a_result_is_shown_compared_and_written_as_a_page(tmp_path):
    """`--from` measures nothing; a run compared with itself shows no regression; a failed budget is exit code 1."""
    full = _full()  # once: it notes the machine's load
    write(tmp_path / "r.json", full)
    page = tmp_path / "page.md"
    file = str(tmp_path / "r.json")
    ended = CliRunner().invoke(command, ["--from", file, "--compare", file, "--report", str(page)])
    assert (ended.exit_code, page.read_text()) == (1, report(full))
    assert "no regression" in ended.output
    assert "1 budget is not met" in ended.output
