"""The measuring itself: turns, ratios and verdicts, with a clock that the test moves."""

import pytest

from pea.bench.measure import Contender, Sample, interleaved, line, quantile


def test_contenders_run_in_turns_and_are_charged_their_own_time():
    """Each round runs every contender once; what `after` takes is nobody's."""
    now, order = [0], []

    def takes(name, each):
        def run(count):
            order.append(name)
            now[0] += each * count

        return run

    def after():
        now[0] += 10**9

    contenders = {"ours": Contender(takes("ours", 10), after), "peer": Contender(takes("peer", 40))}
    samples = interleaved(contenders, rounds=3, slice_s=0.0, clock=lambda: now[0])
    assert order[-6:] == ["ours", "peer"] * 3
    assert (samples["ours"].median, samples["peer"].median) == (10.0, 40.0)
    measured = line("x", samples, "ours", "peer", budget=0.3, note="n")
    assert (measured.ratio, measured.spread, measured.passed, measured.note) == (0.25, 0.0, True, "n")


@pytest.mark.parametrize(("budget", "passed"), [(None, None), (0.5, True), (0.49, False)])
def test_a_ratio_is_judged_against_its_budget(budget, passed):
    """The median of the rounds' own ratios counts: one disturbed round changes nothing."""
    samples = {"ours": Sample((1.0, 2.0, 90.0), 30), "peer": Sample((2.0, 4.0, 8.0), 30)}
    measured = line("x", samples, "ours", "peer", budget=budget)
    assert (measured.ratio, measured.passed, measured.figure_ns, measured.peer_ns) == (0.5, passed, 2.0, 4.0)


@pytest.mark.parametrize(("q", "value"), [(0.0, 1), (0.05, 1), (0.5, 10), (0.95, 19), (0.96, 20), (1.0, 20)])
def test_a_quantile_is_the_least_value_that_so_many_do_not_exceed(q, value):
    """Nearest rank, whatever the order: of twenty values the 19th is p95."""
    assert quantile(range(20, 0, -1), q) == value


def test_there_is_no_quantile_of_nothing():
    """Whoever may have none says what that means."""
    with pytest.raises(ValueError, match="quantile of nothing"):
        quantile([], 0.5)
