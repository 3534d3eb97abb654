"""All memory tiers together stay below one ceiling, and who holds most of its share gives way."""

from hypothesis import given
from hypothesis import strategies as st

from pea.cache.ceiling import fair
from pea.config import L1Settings, L2Settings

TIERS = st.lists(st.tuples(st.integers(1, 10**9), st.floats(0, 1)), min_size=1, max_size=16)


@given(TIERS, st.integers(0, 10**9))
def test_fair_shares(tiers, most):
    """Nobody above its own bound; together within the ceiling; who gives way keeps no less of its bound than others."""
    limits = [limit for limit, _ in tiers]
    sizes = [int(limit * full) for limit, full in tiers]
    given_ = fair(sizes, limits, most)
    assert all(0 <= new <= limit for new, limit in zip(given_, limits, strict=True))
    if sum(sizes) <= most:
        assert all(new >= size for new, size in zip(given_, sizes, strict=True))
    else:
        assert sum(given_) <= most
        cut = [new / limit for new, size, limit in zip(given_, sizes, limits, strict=True) if new < size]
        kept = [size / limit for new, size, limit in zip(given_, sizes, limits, strict=True) if new == size]
        slack = 2 / min(limits)  # bytes are whole
        assert max(cut) - min(cut) <= slack
        assert max(kept, default=0) <= max(cut) + slack


async def test_many_full_caches_stay_below_the_ceiling(make_caches):
    """Fifteen agents that fill their L1, and L2 beside them, hold no more than the ceiling, at every moment."""
    most = 1_000_000
    caches = make_caches(memory=most, l1=L1Settings(size=500_000), l2=L2Settings(size=2_000_000))
    spaces = [caches.namespace(f"agent{number}", owner=f"agent{number}") for number in range(15)]
    for number in range(3_000):
        spaces[number % 15].put(f"key:{number}", "x" * 1_000)
        assert caches.stats().memory_bytes <= most * 1.03
    tiers = caches.stats().tiers
    assert sum(tier.size_bytes for tier in tiers) > most * 0.8
    assert all(tier.hits == 0 and tier.size_bytes > 0 for tier in tiers)
    assert all(space.get(f"key:{2_985 + number}") == "x" * 1_000 for number, space in enumerate(spaces))


async def test_who_was_cut_grows_again(make_caches):
    """When the others have been emptied, one agent may fill its L1 to its own bound."""
    caches = make_caches(memory=400_000, l1=L1Settings(size=300_000), l2=L2Settings(on=False))
    one, two = (caches.namespace(name, owner=name) for name in ("one", "two"))
    for number in range(300):
        one.put(f"key:{number}", "x" * 1_000)
        two.put(f"key:{number}", "x" * 1_000)
    assert caches.bytes_by_owner()["one"] < 210_000
    await two.invalidate()
    for number in range(1_000):
        one.put(f"more:{number}", "x" * 1_000)
    assert 280_000 < caches.bytes_by_owner()["one"] <= 300_000
