"""A span beside logfire's: measured in a process of its own, or named as missing."""

import sys
from importlib.util import find_spec

from pea.bench.measure import Absent, Line
from pea.bench.run import measure
from pea.bench.spans_logfire import beside_logfire
from pea.bench.suites import SUITES, Ask


def test_without_logfire_it_is_absent(monkeypatch):
    """The peer's name, and that it is not there."""
    monkeypatch.setitem(sys.modules, "logfire", None)
    (absent,) = beside_logfire()
    assert (absent.peer, absent.why) == ("logfire", "is not installed")


def test_it_is_measured_in_a_process_that_logfire_may_configure():
    """One line with times of both, where the peer is (pea[bench])."""
    found = measure(SUITES["logfire"], Ask("quick"))
    assert not found.missing
    (beside,) = found.entries
    assert isinstance(beside, Line if find_spec("logfire") else Absent)
    assert beside.peer == "logfire"
    assert isinstance(beside, Absent) or min(beside.figure_ns, beside.peer_ns) > 0
