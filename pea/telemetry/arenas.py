"""What glibc's allocator keeps of memory that was freed: bounded, so that a process stays as large as what it holds.

Left alone, each thread gets an arena of its own (eight per CPU), and once a block of some megabytes has been freed,
blocks of that size are no longer given back to the system: measured under load, 50 MB that nobody used. And asyncio
takes 256 KiB for whatever a connection may have to say, of which it keeps the few bytes that were said: what lives on
beyond them leaves holes too small for the next. Measured with hostile requests, 2 MB a minute that nobody used.
"""

from __future__ import annotations

import sys

ARENAS = 2
GIVEN_BACK_BYTES = 512 << 10  # larger blocks are mapped alone, and given back when freed
KEPT_BYTES = 1 << 20  # free memory at an arena's end
READ_BYTES = 64 << 10  # at once from a connection: no slower, and holes are used again
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # of malloc.h


def keep_little() -> bool:
    """Bound what is kept from now on; for whoever owns the process, before its threads start. False without glibc."""
    if not sys.platform.startswith("linux"):
        return False
    import ctypes
    from asyncio import selector_events

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    selector_events._SelectorSocketTransport.max_size = READ_BYTES  # type: ignore[attr-defined]  # a class's default
    wanted = ((_ARENA_MAX, ARENAS), (_MMAP_THRESHOLD, GIVEN_BACK_BYTES), (_TRIM_THRESHOLD, KEPT_BYTES))
    return bool(sum(mallopt(option, value) for option, value in wanted) == len(wanted))
