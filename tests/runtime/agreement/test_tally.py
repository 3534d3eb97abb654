"""The counting alone, against an adversary that sees every message and chooses the order of delivery."""

from __future__ import annotations

import math
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea.errors import Conflict
from pea.runtime.agreement import Exact, Outcome, Tally, Tolerance, most_faults, quorum
from pea.runtime.agreement.adversary import play, play_numbers
from pea.runtime.agreement.equality import Incomparable

RUNS = 10_000


@pytest.mark.parametrize(("voters", "faults", "needed"), [(1, 0, 1), (3, 0, 2), (4, 1, 3), (5, 1, 4), (7, 2, 5)])
def test_so_many_equal_votes_decide(voters: int, faults: int, needed: int) -> None:
    """2f + 1 of 3f + 1; of more voters, so many that two different values cannot both be decided."""
    assert quorum(voters, faults) == needed


@pytest.mark.parametrize(("voters", "faults"), [(0, 0), (3, 1), (6, 2), (4, -1)])
def test_too_few_voters_are_refused(voters: int, faults: int) -> None:
    """Nobody pretends to bear what so many voters cannot."""
    with pytest.raises(Conflict, match=r"voters cannot bear|nobody was asked"):
        quorum(voters, faults)


@given(st.integers(1, 10_000))
def test_the_quorum_is_safe_and_can_be_reached(voters: int) -> None:
    """Two quorums share an honest voter, and the honest ones alone are a quorum."""
    faults = most_faults(voters)
    needed = quorum(voters, faults)
    assert 2 * needed - voters >= faults + 1
    assert needed <= voters - faults


def test_no_votes_no_decision() -> None:
    """When nobody answers the round ends undecided."""
    tally = Tally("abcd", 1, Exact())
    for voter in "abcd":
        tally.silent(voter)
    assert (tally.settled, tally.decided, tally.outcome, tally.sides()) == (True, False, Outcome.TOO_FEW, [])


def test_it_is_settled_as_soon_as_it_can_be() -> None:
    """At the third equal vote of four, or when three equal ones cannot come any more."""
    tally = Tally("abcd", 1, Exact())
    tally.hear("a", 1)
    tally.hear("b", 1)
    assert not tally.settled
    tally.hear("c", 1)
    assert tally.decided
    other = Tally("abcd", 1, Exact())
    other.hear("a", 1)
    other.hear("b", 2)
    assert not other.settled
    other.hear("c", 3)
    assert other.settled
    assert other.outcome is Outcome.DISAGREED
    assert other.sides() == [("a",), ("b",), ("c",)]


def test_nobody_is_heard_twice() -> None:
    """A voter that answers again, or that is not one, changes nothing."""
    tally = Tally("abcd", 1, Exact())
    for _ in range(5):
        tally.hear("a", 1)
        tally.hear("mallory", 1)
    assert not tally.decided
    assert tally.sides() == [("a",)]


@pytest.mark.parametrize(
    ("one", "other"), [(1, True), (1, 1.0), (0.0, -0.0), ("1", 1), (b"a", "a"), (None, math.nan), ([1], [1, None])]
)
def test_what_looks_alike_is_not_the_same(one: object, other: object) -> None:
    """Exact is to the last byte: Python's ``True == 1`` elects nobody."""
    assert Exact().key(one) != Exact().key(other)


def test_the_order_of_keys_and_of_a_set_says_nothing() -> None:
    """The same answer has the same key, however it was put together."""
    assert Exact().key({"a": 1, "b": {2, 1}}) == Exact().key({"b": {1, 2}, "a": 1})


@pytest.mark.parametrize("value", [math.nan, math.inf, True, "1", None, Decimal("NaN"), 10**400])
def test_what_is_no_number_is_no_vote(value: object) -> None:
    """Only finite numbers can be close to each other."""
    with pytest.raises(Incomparable):
        Tolerance(1.0).key(value)


def test_what_cannot_be_written_is_no_vote() -> None:
    """A voter whose answer is an endless list, or a strange object, has said nothing."""
    endless: list[object] = []
    endless.append(endless)
    for value in (endless, object()):
        with pytest.raises(Incomparable):
            Exact().key(value)


@pytest.mark.parametrize("faults", [1, 2, 3])
def test_f_liars_change_nothing(faults: int) -> None:
    """10,000 random runs: with f liars the honest answer is decided, whatever they say and in which order it comes."""
    for seed in range(RUNS // 3 + 1):
        assert play(Random(seed), faults=faults, liars=faults) == "right"


@pytest.mark.parametrize("faults", [1, 2, 3])
def test_more_than_f_liars_are_told_rather_than_believed(faults: int) -> None:
    """With f + 1 to 2f liars it is the right answer or none, never a wrong one."""
    ends = {play(Random(seed), faults=faults, liars=faults + 1 + seed % faults) for seed in range(RUNS // 3 + 1)}
    assert ends == {"right", "none"}


@pytest.mark.parametrize("faults", [1, 2, 3])
def test_f_liars_cannot_move_a_number_out_of_the_honest_range(faults: int) -> None:
    """Numbers: what is decided lies between two honest ones, whatever f liars say."""
    for seed in range(RUNS // 3 + 1):
        assert play_numbers(Random(seed), faults=faults, liars=faults) == "right"


@settings(max_examples=100)
@given(st.lists(st.floats(-100, 100), min_size=4, max_size=10), st.floats(0, 50), st.floats(0, 1))
def test_the_largest_set_of_close_numbers_is_found(numbers: list[float], absolute: float, relative: float) -> None:
    """The windows that are skipped could not have been better: the size is that of the best of all subsets."""
    equality = Tolerance(absolute, relative)
    keys = {str(number): value for number, value in enumerate(numbers)}
    ordered = sorted(numbers)
    best = max(
        end - start
        for start in range(len(ordered))
        for end in range(start + 1, len(ordered) + 1)
        if ordered[end - 1] - ordered[start]
        <= max(absolute, relative * min(abs(ordered[start]), abs(ordered[end - 1])))
    )
    assert len(equality.largest(keys)) == best
