"""What a piece of work uses in its thread: CPU time, and the reads and writes that it asks the system for.

The system counts both for each thread, so this costs two looks, some ten microseconds, and nothing in between.
"""

from __future__ import annotations

import os
import time
from types import TracebackType
from typing import Self

_COUNTS = "/proc/thread-self/io"  # Linux; what a read of it costs is one more read


class ThreadUse:
    """``with ThreadUse() as use: work()`` in the thread that works; None until it ended, or where nobody counts."""

    def __init__(self) -> None:
        self.cpu_s: float | None = None
        self.file_operations: int | None = None

    def __enter__(self) -> Self:
        self._operations = _operations()
        self._began_s = time.thread_time()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cpu_s = time.thread_time() - self._began_s
        before, after = self._operations, _operations()
        if before is not None and after is not None:
            self.file_operations = max(after - before - 1, 0)

    def attributes(self, cpu: str, file_operations: str) -> dict[str, float]:
        """What is known, under these names."""
        known = {cpu: self.cpu_s, file_operations: self.file_operations}
        return {name: value for name, value in known.items() if value is not None}


def _operations() -> int | None:
    """Calls like read and write (``syscr``, ``syscw``) of this thread since it began."""
    try:
        descriptor = os.open(_COUNTS, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # not Linux, or a container that does not show it
        return None
    try:
        lines = os.read(descriptor, 512).split(b"\n")
    finally:
        os.close(descriptor)
    counts = dict(line.split(b": ") for line in lines if b": " in line)
    return int(counts.get(b"syscr", 0)) + int(counts.get(b"syscw", 0))
