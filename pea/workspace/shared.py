"""One reader of each kind per workspace and process, however many agents read through it.

Two readers of the same folder would hold everything twice in memory and write to one index from two sides.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class _Held(NamedTuple, Generic[T]):
    reader: T
    users: int


class Shared(Generic[T]):
    """Hands out one reader per workspace and state folder, and closes it when its last user lets go."""

    def __init__(self, make: Callable[[Path, Path | None], T], close: Callable[[T], None]) -> None:
        self._make = make
        self._close = close
        self._lock = threading.Lock()
        self._held: dict[tuple[Path, Path | None], _Held[T]] = {}

    def open(self, workspace: Path, state: Path | None) -> T:
        """The reader, made at its first use; each ``open`` needs one ``release``."""
        key = _key(workspace, state)
        with self._lock:
            held = self._held.get(key)
            reader = self._make(workspace, state) if held is None else held.reader
            self._held[key] = _Held(reader, 1 if held is None else held.users + 1)
            return reader

    def release(self, workspace: Path, state: Path | None) -> None:
        """Let go of what ``open`` gave; nothing happens when nothing is held."""
        key = _key(workspace, state)
        with self._lock:
            held = self._held.pop(key, None)
            if held is None:
                return
            if held.users > 1:
                self._held[key] = _Held(held.reader, held.users - 1)
                return
        self._close(held.reader)


def _key(workspace: Path, state: Path | None) -> tuple[Path, Path | None]:
    return workspace.resolve(), None if state is None else state.resolve()
