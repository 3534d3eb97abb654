"""Where the time goes and what holds the bytes: a sampled flame graph as SVG, and allocations by line.

A thread looks at all other threads' stacks a few hundred times a second; wide boxes are where the process was. The
SVG needs nothing but a viewer: each box tells its share when pointed at.
"""

from __future__ import annotations

import sys
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from html import escape
from pathlib import Path
from types import FrameType
from typing import TypeVar

import msgspec

EVERY_S = 0.003
WIDTH, ROW = 1_200, 17
LETTER = 6.6  # pixels of a monospaced letter at 11 px
NARROWEST = 0.4  # pixels: narrower boxes are left out
TOP = 40
_MOST_LINES = 40
_STANDARD = threading.__file__.rsplit("/", 1)[0]
_WAITING = frozenset({"wait", "select", "_wait_for_tstate_lock", "accept", "poll", "_worker", "get"})

T = TypeVar("T")
Stack = tuple[str, ...]


class Box(msgspec.Struct):
    """A function called from its parent's: ``count`` samples in it or below."""

    name: str
    count: int = 0
    below: dict[str, Box] = {}


class Sampler:
    """Counts stacks between `start` and `stop`; idle threads (waiting in a lock or a selector) are left out."""

    def __init__(self, every_s: float = EVERY_S) -> None:
        self.stacks: Counter[Stack] = Counter()
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pea-sampler", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        own = threading.get_ident()
        while not self._stop.wait(self._every_s):
            for thread, frame in sys._current_frames().items():
                if thread != own and not _idle(frame):
                    self.stacks[_stack(frame)] += 1


def profiled(work: Callable[[], T], folder: Path, title: str) -> T:
    """Do the work; ``<title's last word>.svg`` and ``.memory.txt`` are then in the folder.

    It is done twice: following allocations costs time that does not belong into the flame graph. They are of the
    objects that are still there half way through the second time or at its end, whichever holds more.
    """
    name = title.rsplit(maxsplit=1)[-1]
    sampler = Sampler()
    sampler.start()
    began = time.perf_counter()
    try:
        done = work()
    finally:
        seconds = time.perf_counter() - began
        sampler.stop()
        folder.joinpath(f"{name}.svg").write_text(svg(sampler.stacks, f"{title}, {seconds:.1f} s"), encoding="utf-8")
    looks: list[tuple[int, str]] = []
    tracemalloc.start()
    half = threading.Timer(seconds, lambda: looks.append(allocations()))  # slower now: about half way
    half.start()
    try:
        work()
    finally:
        half.cancel()
        half.join()
        looks.append(allocations())
        tracemalloc.stop()
        folder.joinpath(f"{name}.memory.txt").write_text(max(looks)[1], encoding="utf-8")
    return done


def allocations(most: int = _MOST_LINES) -> tuple[int, str]:
    """Bytes held by Python objects, and the lines that hold the most, as text."""
    shot = tracemalloc.take_snapshot().filter_traces(
        [tracemalloc.Filter(inclusive=False, filename_pattern=tracemalloc.__file__)]
    )
    lines = shot.statistics("lineno")
    held = sum(one.size for one in lines)
    told = [f"{held / 1e6:.1f} MB in {sum(one.count for one in lines):,} blocks, allocated by"]
    for one in lines[:most]:
        place = one.traceback[0]
        told.append(f"{one.size / 1e6:9.2f} MB {one.count:9,} blocks  {_short(place.filename)}:{place.lineno}")
    return held, "\n".join(told) + "\n"


def tree(stacks: Counter[Stack]) -> Box:
    """All stacks as one tree, from the outermost function inwards."""
    root = Box("all")
    for stack, count in stacks.items():
        root.count += count
        place = root
        for name in stack:
            place = place.below.setdefault(name, Box(name))
            place.count += count
    return root


def svg(stacks: Counter[Stack], title: str) -> str:
    """The flame graph."""
    root = tree(stacks)
    drawn: list[str] = []
    depth = _draw(root, root.count, 0.0, 0, drawn)
    height = TOP + (depth + 1) * ROW + 10
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'font-family="monospace" font-size="11">'
        f'<rect width="100%" height="100%" fill="#fff"/><text x="10" y="22" font-size="14">{escape(title)}, '
        f"{root.count:,} samples</text>"
    )
    return head + "".join(drawn) + "</svg>\n"


def _draw(box: Box, total: int, x: float, depth: int, to: list[str]) -> int:
    """Append a box and those below it, the widest first; the greatest depth drawn."""
    width = WIDTH * box.count / max(total, 1)
    if width < NARROWEST:
        return depth
    y = TOP + depth * ROW
    shade = 30 + hash_of(box.name) % 30
    letters = int((width - 6) / LETTER)
    label = box.name if len(box.name) <= letters else box.name[: max(letters - 1, 0)] + "…"
    text = f'<text x="{x + 3:.1f}" y="{y + 12}">{escape(label)}</text>' if letters > 2 else ""
    share = f"{escape(box.name)}: {100 * box.count / max(total, 1):.1f} % ({box.count:,})"
    to.append(
        f'<g><title>{share}</title><rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW - 1}" rx="2" '
        f'fill="hsl({shade}, 85%, 72%)"/>{text}</g>'
    )
    deepest = depth
    for below in sorted(box.below.values(), key=lambda one: -one.count):
        deepest = max(deepest, _draw(below, total, x, depth + 1, to))
        x += WIDTH * below.count / max(total, 1)
    return deepest


def hash_of(name: str) -> int:
    """The same number for the same name in every process, so that a function keeps its colour."""
    return sum((place + 1) * ord(letter) for place, letter in enumerate(name))


def _stack(frame: FrameType | None) -> Stack:
    names: list[str] = []
    while frame is not None:
        code = frame.f_code
        names.append(f"{_short(code.co_filename)}:{code.co_qualname}")
        frame = frame.f_back
    return tuple(reversed(names))


def _idle(frame: FrameType) -> bool:
    code = frame.f_code
    return code.co_name in _WAITING and code.co_filename.startswith(_STANDARD)


def _short(filename: str) -> str:
    """A file by its last two folders."""
    return "/".join(filename.split("/")[-2:]).removesuffix(".py")
