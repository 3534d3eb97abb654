"""Eviction policies as their papers give them, by entries alone: what L2's hit ratio is held against."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Sequence

Ask = Callable[[Hashable], bool]  # one request: whether it hit


def lru(limit: int) -> Ask:
    """Least recently used."""
    held: OrderedDict[Hashable, None] = OrderedDict()

    def ask(key: Hashable) -> bool:
        if key in held:
            held.move_to_end(key)
            return True
        held[key] = None
        if len(held) > limit:
            held.popitem(last=False)
        return False

    return ask


def s3_fifo(limit: int) -> Ask:
    """Yang et al., "FIFO queues are all you need for cache eviction" (SOSP 2023), small queue a tenth."""
    small_most = max(1, limit // 10)
    small: deque[Hashable] = deque()
    main: deque[Hashable] = deque()
    visits: dict[Hashable, int] = {}
    ghosts: OrderedDict[Hashable, None] = OrderedDict()

    def evict() -> None:
        if len(small) >= small_most or not main:
            while small:
                key = small.popleft()
                if not visits[key]:
                    del visits[key]
                    ghosts[key] = None
                    if len(ghosts) > limit - small_most:
                        ghosts.popitem(last=False)
                    return
                visits[key] = 0
                main.append(key)
        while main:
            key = main.popleft()
            if not visits[key]:
                del visits[key]
                return
            visits[key] -= 1
            main.append(key)

    def ask(key: Hashable) -> bool:
        if key in visits:
            visits[key] = min(visits[key] + 1, 3)
            return True
        while len(visits) >= limit:
            evict()
        if key in ghosts:
            del ghosts[key]
            main.append(key)
        else:
            small.append(key)
        visits[key] = 0
        return False

    return ask


def w_tinylfu(limit: int) -> Ask:
    """Einziger, Friedman, Manes, "TinyLFU" (2017): window 1 %, segmented LRU, exact counts halved every 10 limits."""
    window_most = max(1, limit // 100)
    main_most = limit - window_most
    protected_most = int(main_most * 0.8)
    window: OrderedDict[Hashable, None] = OrderedDict()
    probation: OrderedDict[Hashable, None] = OrderedDict()
    protected: OrderedDict[Hashable, None] = OrderedDict()
    counts: dict[Hashable, int] = {}
    asked = 0

    def count(key: Hashable) -> None:
        nonlocal asked, counts
        counts[key] = min(counts.get(key, 0) + 1, 15)
        asked += 1
        if asked >= 10 * limit:
            counts = {key: n >> 1 for key, n in counts.items() if n > 1}
            asked //= 2

    def admit(candidate: Hashable) -> None:
        if len(probation) + len(protected) < main_most:
            probation[candidate] = None
            return
        segment = probation or protected
        victim = next(iter(segment))
        if counts.get(candidate, 0) > counts.get(victim, 0):
            del segment[victim]
            probation[candidate] = None

    def ask(key: Hashable) -> bool:
        count(key)
        if key in window:
            window.move_to_end(key)
        elif key in protected:
            protected.move_to_end(key)
        elif key in probation:
            del probation[key]
            protected[key] = None
            if len(protected) > protected_most:
                probation[protected.popitem(last=False)[0]] = None
        else:
            window[key] = None
            if len(window) > window_most:
                admit(window.popitem(last=False)[0])
            return False
        return True

    return ask


def percent(ask: Ask, trace: Sequence[Hashable]) -> float:
    """The share of requests that hit, in percent."""
    return 100 * sum(map(ask, trace)) / len(trace)
