"""Each part of the scaling bench does its work at tiny sizes, and says a cost and a power for it."""

import pytest

from pea.bench import growth, scaling


@pytest.fixture(autouse=True)
def _brief(monkeypatch):
    """Rounds of a thousandth of a second: no figure is judged here."""
    monkeypatch.setattr(growth.rounds, "__defaults__", (2, 0.001))
    monkeypatch.setattr(growth, "DRAWS", 5)


def _whole(figures):
    """Costs are above zero, and each is followed by the power it grows by."""
    costs, powers = figures[::2], figures[1::2]
    assert len(costs) == len(powers)
    assert all(one.value > 0 and one.unit == "µs" for one in costs)
    assert all(one.what.strip() == "grows as a power of" and one.budget is not None for one in powers)
    return [one.what for one in costs]


def test_agents_and_traces():
    """Fleets start and call each other; traces are recorded and drained."""
    assert _whole(scaling.agents((1, 2, 4))) == [
        "agents: start: each at 4",
        "agents: a call, spans drained: a call at 4",
    ]
    assert _whole(scaling.traces((1, 10))) == ["spans in a trace: recorded and drained: a span at 10"]


def test_rules_and_keys():
    """So many rules are parsed and evaluated; a key is hit, and dropped by its tag."""
    assert _whole(scaling.rules((1, 5))) == ["rules: one evaluation over ten agents: a rule at 5"]
    assert len(_whole(scaling.cached((50, 500)))) == 2


def test_stored_spans():
    """The store grows to each size, and is searched at each."""
    assert len(_whole(scaling.store((5_000, 10_000)))) == 2


def test_the_registry_beside_a_scan():
    """Lookups and changes have powers; the index has the scan for a peer."""
    *figures, beside = scaling.registry((100, 1_000))
    assert len(_whole(figures)) == 2
    assert beside.peer == "a scan of 1,000"
    assert beside.budget == scaling.LOOKUP_BUDGET
