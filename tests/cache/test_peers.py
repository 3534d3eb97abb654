"""What L2 is measured against is right itself."""

import random

import pytest

from pea.bench.cache_policies import lru, percent, s3_fifo, w_tinylfu


def test_lru_by_hand():
    """Two places: the least recently used makes room."""
    ask = lru(2)
    assert [ask(key) for key in "abacb"] == [False, False, True, False, False]


@pytest.mark.parametrize("make", [lru, s3_fifo, w_tinylfu])
def test_whatever_fits_hits(make):
    """A policy with room for every key misses each once."""
    assert percent(make(20), [n % 10 for n in range(1_000)]) == 99.0


@pytest.mark.parametrize("make", [s3_fifo, w_tinylfu])
def test_one_hit_wonders_do_not_displace(make):
    """Where few keys come often and most come once, the policies hit clearly more than LRU."""
    rng = random.Random(1)
    trace = rng.choices(range(5_000), [1 / rank for rank in range(1, 5_001)], k=20_000)
    assert percent(make(50), trace) > percent(lru(50), trace) + 5
