"""The table of counts of keys that are no longer held."""

from pea.cache.ghosts import PER_ENTRY, Ghosts


def written(entries, count):
    """A table with a count for each of some marks."""
    ghosts = Ghosts()
    ghosts.fit(entries, 1 << 20)
    marks = range(0, PER_ENTRY * entries, 7)
    for mark in marks:
        ghosts.counts[mark & ghosts.mask] = count
    return ghosts, marks


def test_what_was_counted_is_found_after_growth():
    """A table that has doubled, several times, answers for each key as before."""
    ghosts, marks = written(8, 3)
    before = [ghosts.counts[mark & ghosts.mask] for mark in marks]
    ghosts.fit(60, 1 << 20)
    assert [ghosts.counts[mark & ghosts.mask] for mark in marks] == before
    assert len(ghosts.counts) == ghosts.mask + 1 == 2048


def test_bytes_are_bounded():
    """However many entries there are; without room one byte is left, which is not counted."""
    ghosts, _ = written(64, 1)
    for most in (1 << 12, 1_000, 1, 0, -5, 300):
        ghosts.fit(1 << 20, most)
        assert len(ghosts) < max(most, 1)
        assert len(ghosts.counts) == ghosts.mask + 1


def test_counts_are_halved_in_place():
    """Whoever holds the table sees it age, down to nothing."""
    ghosts, marks = written(4, 255)
    held = ghosts.counts
    for expected in (127, 63, 31, 15, 7, 3, 1, 0, 0):
        ghosts.halve()
        assert {held[mark] for mark in marks} == {expected}


def test_all_is_forgotten():
    """Cleared, the table keeps its size and no count."""
    ghosts, _ = written(4, 9)
    size = len(ghosts)
    ghosts.clear()
    assert len(ghosts) == size
    assert not any(ghosts.counts)
