"""Allocations are traced while an alert of memory is pending, told when it fires, and not traced otherwise."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import msgspec
import pytest

from pea.store.series import SeriesStore
from pea.watch.alert import State
from pea.watch.allocations import Allocations
from pea.watch.book import Change
from pea.watch.investigate import Investigator
from pea.watch.rehearse import EPOCH_S
from pea.watch.rule import RuleSet
from tests.watch.test_investigate import RULES, an_alert

RULE_SET = RuleSet(tuple(RULES.values()))


@pytest.fixture
def allocations() -> Iterator[Allocations]:
    made = Allocations()
    yield made
    made.stop()


def change(rule: str, state: State) -> Change:
    return Change(State.INACTIVE, msgspec.structs.replace(an_alert(RULES[rule], EPOCH_S), state=state))


async def test_what_leaks_while_the_alert_is_pending_is_told_by_its_line(allocations: Allocations) -> None:
    """The line that holds most, in the cause and in words; then tracing ends."""
    pending = change("memory-leak", State.PENDING)
    allocations.hear(pending, RULE_SET)
    leaked = [bytes(1_000 + n) for n in range(500)]

    async def ask(work):
        raise AssertionError("no traces are needed")

    looked = Investigator(ask, SeriesStore(1), lambda: (), lambda: EPOCH_S, None, allocations)
    found = await looked(pending.alert, RULES["memory-leak"])
    assert len(leaked) == 500
    assert found.cause[0]["kind"] == "allocation"
    assert __file__ in found.cause[0]["where"]
    assert found.cause[0]["held_bytes"] > 500_000
    assert found.explanation.startswith(f"Most was allocated in {__file__}:")
    assert not tracemalloc.is_tracing()
    assert await allocations.sites(pending.alert.id) == []


def test_only_alerts_of_memory_have_it_switched_on_and_their_end_switches_it_off(allocations: Allocations) -> None:
    """A slow agent is no reason to slow down every allocation."""
    allocations.hear(change("agent-latency-p95", State.PENDING), RULE_SET)
    assert not tracemalloc.is_tracing()
    allocations.hear(change("memory-leak", State.PENDING), RULE_SET)
    assert tracemalloc.is_tracing()
    allocations.hear(change("memory-leak", State.INACTIVE), RULE_SET)
    assert not tracemalloc.is_tracing()


def test_tracing_that_somebody_else_began_goes_on(allocations: Allocations) -> None:
    """A developer who traces keeps tracing."""
    tracemalloc.start()
    try:
        allocations.hear(change("memory-leak", State.PENDING), RULE_SET)
        allocations.hear(change("memory-leak", State.INACTIVE), RULE_SET)
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()


def test_an_alert_whose_rule_was_taken_out_is_traced_no_longer(allocations: Allocations) -> None:
    """Its end is heard though no rule is left to say that it was one of memory."""
    allocations.hear(change("memory-leak", State.PENDING), RULE_SET)
    allocations.hear(change("memory-leak", State.INACTIVE), RuleSet())
    assert not tracemalloc.is_tracing()
