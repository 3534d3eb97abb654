"""Long full collections are the last to look at what survived them."""

import gc
import subprocess
import sys

from pea.telemetry.pauses import LONG_S, MOST_FREEZES, Freezer

SCRIPT = """
import gc, sys
from pea.telemetry.pauses import Freezer, imported_more, shorten_pauses
imported_more(); print(gc.get_freeze_count())
shorten_pauses(); shorten_pauses()
print(sys.getswitchinterval() <= 0.0005, gc.get_freeze_count() > 10_000,
      sum(isinstance(callback, Freezer) for callback in gc.callbacks))
before, new = gc.get_freeze_count(), [[] for _ in range(100)]
imported_more()
print(gc.get_freeze_count() >= before + 100)
"""


def _collections(*took_s, generation=2, most=MOST_FREEZES):
    """How often a freezer froze when full collections took so long."""
    now, frozen = [0.0], []
    freezer = Freezer(most, clock=lambda: now[0], freeze=lambda: frozen.append(now[0]))
    for took in took_s:
        freezer("start", {"generation": generation})
        now[0] += took
        freezer("stop", {"generation": generation})
    return len(frozen)


def test_only_long_full_collections_freeze():
    """Short ones and those of the young leave everything where it is."""
    assert _collections(LONG_S / 2, LONG_S * 2, LONG_S / 2) == 1
    assert _collections(1.0, 1.0, generation=1) == 0


def test_freezing_has_an_end():
    """What is frozen is never freed as part of a cycle, so it happens a bounded number of times."""
    assert _collections(*[1.0] * 20) == MOST_FREEZES
    assert _collections(1.0, 1.0, most=1) == 1


def test_a_process_is_calmed_once():
    """Called twice, there is one freezer; what was imported is out of sight, also later, but not in other processes."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "True", "True", "1", "True"]
    assert not any(isinstance(callback, Freezer) for callback in gc.callbacks)  # nobody calms the tests
