"""Figures over the last day: a sample per ten seconds and series, in ring arrays, bounded, kept across restarts."""

from __future__ import annotations

import logging
import math
import os
import sys
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

STEP_S = 10
SLOTS = 8_640  # 24 hours
LATE_STEPS = 6
MAX_NAME = 300
FIRST = ("pea.page.", "pea.loop.lag", "process.")  # what the page cannot do without,
KEPT_FREE = 64  # rows beyond the limit that only those get
_MAGIC = b"PEAS1\n"
_ROWS = 16  # to begin with; doubled as series come
_MAX_FILE_BYTES = 1 << 30

_log = logging.getLogger(__name__)

Values = npt.NDArray[np.float64]


class _Head(msgspec.Struct):
    slot: int
    names: list[str]


class SeriesStore:
    """Series by name; a row of 8,640 32-bit floats each, NaN where nothing was sampled.

    Rule for too many: a series that has no sample in the last day gives its row to a new one; when there is none, the
    new one is not kept and counted in ``overflowed``. Other programs' series cannot crowd out those of the page.
    """

    def __init__(self, limit: int, path: Path | None = None) -> None:
        self._limit = limit
        self._path = path
        self._lock = threading.Lock()
        self._rows: dict[str, int] = {}
        self._touched: dict[str, int] = {}  # the step of each series' newest sample
        self._data = np.full((0, SLOTS), np.nan, np.float32)
        self._slot = 0  # of the newest sample, in steps since 1970
        self._none_dead_at = -1
        self.overflowed = 0
        if path is not None and path.exists():
            self._load(path)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def size_bytes(self) -> int:
        """Memory of the arrays."""
        return int(self._data.nbytes)

    def sample(self, time_s: float, values: Mapping[str, float]) -> int:
        """Write samples for the step that holds ``time_s``; how many series found no row.

        What comes up to a minute late is ignored; a clock that goes back further was wrong before: what was sampled
        after ``time_s`` is forgotten. Blocks, milliseconds for thousands of series.
        """
        slot = int(time_s // STEP_S)
        with self._lock, np.errstate(over="ignore"):
            if self._slot - LATE_STEPS <= slot < self._slot:
                return 0
            self._move_to(slot)
            before = self.overflowed
            for name, value in values.items():
                row = self._row(name[:MAX_NAME])
                if row is not None:
                    self._touched[name[:MAX_NAME]] = slot
                    self._data[row, slot % SLOTS] = value
            return self.overflowed - before

    def names(self, prefix: str = "") -> list[str]:
        """Names of series, sorted."""
        with self._lock:
            return sorted(name for name in self._rows if name.startswith(prefix))

    def read(
        self, name: str, start_s: float, end_s: float, step_s: int = STEP_S, how: str = "mean"
    ) -> tuple[Values, Values]:
        """Times (s since 1970, each step's beginning) and values of a series, ``how`` mean, max or last within a step.

        NaN where there is no sample. Steps are whole multiples of ten seconds; raises ValueError for another ``how``.
        """
        if how not in {"mean", "max", "last"}:
            raise ValueError(f"mean, max or last is expected, not {how!r}")
        width = max(round(step_s / STEP_S), 1)
        with self._lock:
            first = max(int(start_s // STEP_S), self._slot - SLOTS + 1)
            last = min(int(end_s // STEP_S), self._slot)
            row = self._rows.get(name)
            if last < first:
                return np.zeros(0), np.zeros(0)
            first -= first % width
            slots = np.arange(first, first + math.ceil((last + 1 - first) / width) * width)
            values = np.full(len(slots), np.nan)
            if row is not None:
                held = (slots > self._slot - SLOTS) & (slots <= self._slot)
                values[held] = self._data[row, slots[held] % SLOTS]
        steps = values.reshape(-1, width)
        return slots[::width].astype(np.float64) * STEP_S, _fold(steps, how)

    def save(self) -> None:
        """Write everything to the file, all or nothing."""
        if self._path is None:
            return
        with self._lock:
            used = sorted(self._rows.items(), key=lambda item: item[1])
            head = msgspec.json.encode(_Head(self._slot, [name for name, _ in used]))
            saved = self._slot
        temporary = self._path.with_name(self._path.name + ".new")
        packer = zstd.ZstdCompressor(1)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                file.write(_MAGIC + len(head).to_bytes(4) + head)
                for _, row in used:  # row by row: a copy of all would stay with the allocator for good
                    file.write(packer.compress(self._row_at(row, saved).tobytes()))
                file.write(packer.flush())
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
        except OSError as error:
            _log.warning("the series could not be saved to %s: %s", self._path, error)

    def _row_at(self, row: int, slot: int) -> npt.NDArray[np.float32]:
        """A copy of a row as it stood at ``slot``: what has been sampled since stands where the oldest was."""
        with self._lock:
            values: npt.NDArray[np.float32] = self._data[row].copy()
            values[np.arange(slot + 1, min(self._slot, slot + SLOTS) + 1) % SLOTS] = np.nan
        return values

    def _row(self, name: str) -> int | None:
        row = self._rows.get(name)
        if row is not None:
            return row
        limit = self._limit + KEPT_FREE * name.startswith(FIRST)
        if len(self._rows) >= limit and not self._forget_one():
            self.overflowed += 1
            return None
        taken = set(self._rows.values())
        row = next((n for n in range(len(self._data)) if n not in taken), None)
        if row is None:
            row = len(self._data)
            more = min(max(row, _ROWS), max(self._limit - row, 1))  # beyond the limit one by one
            self._data = np.concatenate([self._data, np.full((more, SLOTS), np.nan, np.float32)])
        self._data[row] = np.nan
        self._rows[name] = row
        return row

    def _forget_one(self) -> bool:
        if self._none_dead_at == self._slot:  # else each of thousands that find no row would look at all that have one
            return False
        dead = next((name for name, slot in self._touched.items() if slot <= self._slot - SLOTS), None)
        if dead is None:
            self._none_dead_at = self._slot
            return False
        del self._rows[dead], self._touched[dead]
        return True

    def _move_to(self, slot: int) -> None:
        """Make ``slot`` the newest: what lies between hold what was a day ago, or, going back, what is not yet."""
        if self._slot:
            first, last = sorted((slot, self._slot))
            first = max(first, last - SLOTS)
            self._data[:, np.arange(first + 1, last + 1) % SLOTS] = np.nan
        if slot < self._slot:
            self._touched = {name: min(touched, slot) for name, touched in self._touched.items()}
        self._slot = slot

    def _load(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                body = file.read(_MAX_FILE_BYTES)
            if not body.startswith(_MAGIC):
                raise ValueError("it does not begin as it should")
            at = len(_MAGIC) + 4
            size = int.from_bytes(body[len(_MAGIC) : at])
            head = msgspec.json.decode(body[at : at + size], type=_Head)
            names = head.names[: self._limit + KEPT_FREE]
            data = zstd.ZstdDecompressor().decompress(body[at + size :], len(head.names) * SLOTS * 4)
            values = np.frombuffer(data, np.float32).reshape(len(head.names), SLOTS)
        except (OSError, ValueError, zstd.ZstdError) as error:  # msgspec's errors are ValueErrors
            _log.warning("the series in %s cannot be read (%s): they begin anew", path, error)
            return
        self._data = values[: len(names)].copy()
        self._rows = {name: row for row, name in enumerate(names)}
        self._touched = dict.fromkeys(names, head.slot)
        self._slot = head.slot


def _fold(steps: Values, how: str) -> Values:
    if how == "last":
        back = np.argmax(~np.isnan(steps[:, ::-1]), axis=1)  # 0 where there is no sample, and then that is none
        newest: Values = steps[np.arange(len(steps)), steps.shape[1] - 1 - back]
        return newest
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a step without samples is NaN, and that is said
        folded: Values = np.nanmax(steps, axis=1) if how == "max" else np.nanmean(steps, axis=1)
    return folded
