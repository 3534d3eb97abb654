"""The judge of the detector: its faults are found by their own rule, and its days are the same for the same seed."""

import pytest

from pea.bench.detect import detect, harmless, plain, rules, scenario
from pea.bench.detect_faults import KINDS, LookAlike, fault, look_alikes
from pea.bench.detect_fleet import Traffic, traces


def day(kind: str, seconds: float) -> LookAlike:
    """A shortened day of a kind."""
    return next(one for one in look_alikes(3, seconds) if one.kind == kind)


@pytest.mark.parametrize("kind", ["slow agent", "error burst"])
def test_a_fault_is_found_by_its_rule_and_blamed_on_its_place(kind: str) -> None:
    """Found within two minutes, nothing before it, and the guilty agent first among the causes."""
    found = scenario(fault(kind, 1), rules())
    assert found.took_s is not None
    assert found.took_s <= 120
    assert (found.early, found.rank) == (0, 1)


def test_a_leak_under_a_sawtooth_is_found() -> None:
    """Memory grows though the collector hides it; what no agent accounts for is to blame."""
    found = scenario(fault("leak", 2), rules())
    assert (found.took_s is not None, found.rank) == (True, 1)


def test_naive_rules_alarm_where_nothing_is_wrong_and_sure_ones_do_not() -> None:
    """A few slow calls at low traffic: the plain figure fires, the bound does not."""
    quiet = day("near the bound", 4_000.0)
    assert harmless(quiet, rules()) == 0
    assert harmless(quiet, plain(rules())) >= harmless(quiet, rules())


def test_the_same_seed_is_the_same_day() -> None:
    """Everything is made from the seed."""
    given = fault("slow agent", 4)
    traffic = Traffic(lambda _: 1.0, 60.0, 9)
    first, second = (list(traces(traffic, given.touch)) for _ in range(2))
    assert first == second


def test_a_time_box_says_what_it_left_out() -> None:
    """When the time is over nothing more is begun, and the figures are of what was played."""
    found = {one.what: one for one in detect(1, 0, 0, 0, 0, minutes=0.0)}
    played = found["of all of this, played"]
    assert (played.value, played.passed) == (pytest.approx(100 * played.count / len(KINDS)), False)
    assert sum(what.endswith(": found") for what in found) == played.count
    assert found["alerts before any fault"].count == played.count
