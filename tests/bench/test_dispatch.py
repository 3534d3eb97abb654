"""Frameworks answer from processes of their own, in turns with PEA; what cannot be started is named."""

import sys
import textwrap
from pathlib import Path

import pytest

from pea.bench import dispatch
from pea.bench.measure import Absent, Line

# A framework that says what the real ones say: ready with its version, then nanoseconds for each line.
SPEAKER = """
import sys
print("ready", "1.2.3", flush=True)
for line in sys.stdin:
    way, count = line.split()
    print(int(count) * {"plain": 2_000, "traced": 5_000}[way], flush=True)
"""


@pytest.fixture
def speaker(monkeypatch, tmp_path):
    """A process in place of `dispatch_peers`, which needs frameworks that are not installed everywhere."""
    script = tmp_path / "speaker.py"
    script.write_text(textwrap.dedent(SPEAKER))
    monkeypatch.setattr(dispatch.dispatch_peers, "__file__", str(script))
    monkeypatch.setattr(dispatch, "MODULES", {"langgraph": ("sys",)})
    monkeypatch.setattr(dispatch, "OWN_CALLS", 20)


def test_a_peer_is_asked_for_as_many_as_fill_a_slice(speaker):
    """Nanoseconds of one call; 25,000 of 2 µs fill 50 ms."""
    peer = dispatch.Peer("langgraph", Path(sys.executable))
    try:
        assert (peer.version, peer.ns("plain"), peer.ns("traced")) == ("1.2.3", 2_000.0, 5_000.0)
        assert peer._size == {"plain": 25_000, "traced": 10_000}
    finally:
        peer.close()


def test_plain_traced_and_what_tracing_adds(speaker):
    """Two lines beside PEA's whole call, and the difference between them."""
    traced, plain, added = dispatch.dispatch(rounds=2)
    assert isinstance(traced, Line)
    assert (traced.peer, traced.peer_ns) == ("langgraph 1.2.3, traced", 5_000.0)
    assert (plain.peer, plain.peer_ns) == ("langgraph 1.2.3, plain", 2_000.0)
    assert (added.value, added.unit) == (3.0, "µs")
    assert traced.figure_ns == plain.figure_ns > 0


def test_a_framework_that_is_nowhere_is_absent(monkeypatch, tmp_path):
    """Neither here nor in the environment beside the data sets: named, with where it was looked for."""
    monkeypatch.setattr(dispatch, "MODULES", {"langgraph": ("no_such_module.below",)})
    (absent,) = dispatch.dispatch(tmp_path, rounds=1)
    assert isinstance(absent, Absent)
    assert str(tmp_path / "peers") in absent.why


def test_one_that_does_not_start_is_absent(speaker, monkeypatch, tmp_path):
    """A framework that fails as it is imported is no error of the suite."""
    Path(dispatch.dispatch_peers.__file__).write_text("raise SystemExit(1)")
    assert isinstance(dispatch._start("langgraph", tmp_path), Absent)
