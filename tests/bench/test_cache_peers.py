"""The asynchronous caches stand beside PEA's where they are installed, and are named where they are not."""

import sys

from pea.bench import cache_peers
from pea.bench.figure import Figure
from pea.bench.measure import Absent, interleaved


def test_diskcache_is_beside_and_the_others_are_named_when_missing(monkeypatch):
    """What is not installed is absent from hits and stampede alike; PEA computes a stampede once."""
    for name in ("cashews", "aiocache"):
        monkeypatch.setitem(sys.modules, name, None)

    def quick(contenders, **how):
        return interleaved(contenders, **{**how, "rounds": 2, "slice_s": 1e-4})

    monkeypatch.setattr(cache_peers, "interleaved", quick)
    found = cache_peers.cache_peers()
    assert [one.peer for one in found if isinstance(one, Absent)] == ["cashews", "aiocache"] * 2
    (hit,) = [one for one in found if not isinstance(one, Absent | Figure)]
    assert (hit.peer, hit.figure_ns > 0, hit.peer_ns > 0) == ("diskcache", True, True)
    (stampede,) = [one for one in found if isinstance(one, Figure)]
    assert (stampede.value, stampede.count, stampede.passed) == (1.0, cache_peers.WAITERS, True)
