"""What is accounted is what memory grows by."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

SCRIPT = """
    import gc, random, string, sys
    import msgspec, numpy as np, psutil
    from pea.cache.entry import Entry, make
    from pea.cache.index import INDEX_BYTES, Index
    from pea.cache.patterns import groups_of
    from pea.cache.ordered import Ordered
    from pea.cache.two_queues import TwoQueues

    class Row(msgspec.Struct, frozen=True):
        name: str
        amount: float
        tags: tuple[str, ...]

    rng = random.Random(1)
    word = lambda n: "".join(rng.choices(string.ascii_letters, k=n))
    kinds = {
        "text": lambda: word(1500),
        "wide text": lambda: word(400) + chr(0x4e00 + rng.randrange(100)),
        "tree": lambda: {"rows": [{"a": rng.random(), "b": word(9), "c": {"d": [rng.random()] * 5}} for _ in "x" * 20]},
        "structs": lambda: tuple(Row(word(20), rng.random(), (word(5), word(6))) for _ in range(20)),
        "copied": lambda: {n + 1000: [word(30)] for n in range(20)},
        "array": lambda: np.random.default_rng(1).random(500),
        "small": lambda: rng.random(),
    }
    kind, tier = sys.argv[1], sys.argv[2]
    count = 60_000 if kind == "small" else 6_000
    held = (Ordered if tier == "lru" else TwoQueues)(1 << 40, 1 << 40, 1e9)
    index = Index()
    def fill(start, count):
        for n in range(start, start + count):
            key = f"calendar:day:{n}"
            entry = make(kinds[kind](), groups_of(key), now=0.0, ttl_s=10.0, stale_s=0.0, cost_s=0.1)
            index.add(key, entry.groups)
            held.put(key, entry, entry.size_bytes + INDEX_BYTES)
    fill(0, 100)
    gc.collect()
    before, accounted = psutil.Process().memory_info().rss, held.size_bytes
    fill(100, count)
    gc.collect()
    print((held.size_bytes - accounted) / (psutil.Process().memory_info().rss - before))
"""


@pytest.mark.parametrize("tier", ["lru", "two queues"])
@pytest.mark.parametrize("kind", ["text", "wide text", "tree", "structs", "copied", "array", "small"])
def test_accounted_bytes_are_resident_bytes(kind, tier):
    """In a process of its own, resident memory grows by what the tier accounts for, within a quarter."""
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), kind, tier]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert 0.75 <= float(done.stdout) <= 1.25
