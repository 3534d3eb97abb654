"""How often the cause that alerts name is the right one: faults in public sets of traces, each with its culprit.

The sets (IntelligentDDS/Nezha, MIT) have faults injected into systems of services. What comes before a fault is, in
one row, a normal window of the same day; in the other also the eight faults before it, as on a bad day.

Run by itself: ``python -m pea.bench.cause [--data DIR]``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from pea.bench.data import DATA_VARIABLE, data_folder
from pea.bench.figure import Figure
from pea.errors import ConfigError, PeaError
from pea.watch.cause import rank_measured
from pea.watch.cause_columns import MAX_DURATION_NS, Place, TraceColumns
from pea.watch.cause_profile import Measured, measure

SET = "nezha"  # the folder within DIR; files in DIR itself are taken too
PAST = 8  # windows of earlier faults in the second row
BUDGET_US = 5.0
TOP_1, TOP_3 = 86.0, 94.0
MAX_FILE_BYTES = 256 << 20
_LAST_US = (1 << 62) // 1_000
_NORMAL, _TRACE = "normal_", "_trace"
_FIELDS = ("trace", "par", "svc", "op", "start_us", "dur_us")


class Case(msgspec.Struct, frozen=True):
    """One fault: its traces, and the service that is to blame."""

    key: str
    day: str
    root: str


class FaultSet(msgspec.Struct, frozen=True):
    """The windows of a file: normal ones by day, faults by key in order of time."""

    cases: tuple[Case, ...]
    normal: Mapping[str, TraceColumns]
    faults: Mapping[str, TraceColumns]


class Ranks(msgspec.Struct, frozen=True):
    """For each case the culprit's position (0: named first; None: not named), and the cost."""

    positions: tuple[int | None, ...]
    us_per_span: float

    def top(self, most: int) -> float:
        """The percentage of cases whose culprit is among the first ``most``."""
        return 100.0 * sum(one is not None and one < most for one in self.positions) / max(len(self.positions), 1)


def files(folder: Path) -> list[Path]:
    """The sets of faults in a folder, by name, or the one file given; ConfigError when there are none."""
    if folder.is_file():
        return [folder]
    found = sorted({*folder.glob("*.npz"), *(folder / SET).glob("*.npz")})
    if not found:
        raise ConfigError(
            f"no set of faults (*.npz) is here or in {SET}/",
            where=str(folder),
            fix=f"name the folder by --data or {DATA_VARIABLE}",
        )
    return found


def load(path: Path) -> FaultSet:
    """Read a file of faults; ConfigError when it is not one."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ValueError(f"more than {MAX_FILE_BYTES >> 20} MiB")
        with np.load(path, allow_pickle=False) as arrays:
            meta = json.loads(str(arrays["meta"]))
            cases = tuple(Case(one["key"], one["day"], one["root"]) for one in meta["cases"])
            words = tuple(meta["svcs"]), tuple(meta["ops"])
            firsts = [name for name in arrays.files if name.startswith(_NORMAL) and name.endswith(_TRACE)]
            days = sorted(name[len(_NORMAL) : -len(_TRACE)] for name in firsts)
            return FaultSet(
                cases=cases,
                normal={day: _window(arrays, _NORMAL + day, *words) for day in days},
                faults={case.key: _window(arrays, case.key, *words) for case in cases},
            )
    except (KeyError, IndexError, TypeError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise ConfigError(f"not a set of faults: {error!r}", where=str(path), fix="take the file out") from None


def rank(found: FaultSet, *, past: int = 0) -> Ranks:
    """Rank the causes of every fault against its day's normal window and the ``past`` faults before it.

    A day without a normal window is compared with those of the other days.
    """
    spans = sum(len(window) for window in (*found.normal.values(), *found.faults.values()))
    began = time.process_time_ns()
    normal = {day: measure(window) for day, window in found.normal.items()}
    faults = {key: measure(window) for key, window in found.faults.items()}
    positions = []
    for at, case in enumerate(found.cases):
        usual = [normal[case.day]] if case.day in normal else list(normal.values())
        earlier = [faults[one.key] for one in found.cases[max(at - past, 0) : at]]
        positions.append(_position([*usual, *earlier], faults[case.key], case.root))
    return Ranks(tuple(positions), (time.process_time_ns() - began) / 1e3 / max(spans, 1))


def cause(folder: Path | None = None) -> list[Figure]:
    """Both rows for every set in a folder (`data_folder` if not given), each with its cost."""
    figures = []
    for path in files(folder or data_folder()):
        found = load(path)
        count = len(found.cases)
        for before, past in (("a normal window before", 0), (f"also the {PAST} faults before", PAST)):
            ranks, what = rank(found, past=past), f"{path.stem}, {before}"
            figures += [
                Figure(f"top-1, {what}", ranks.top(1), "%", count, TOP_1, at_least=True),
                Figure(f"top-3, {what}", ranks.top(3), "%", count, TOP_3, at_least=True),
                Figure(f"top-5, {what}", ranks.top(5), "%", count),
                Figure(f"cost, {what}", ranks.us_per_span, "µs CPU/span", count, BUDGET_US),
            ]
    return figures


def _position(before: Sequence[Measured], breach: Measured, culprit: str) -> int | None:
    named = [one.place.service for one in rank_measured(before, breach, "latency")]
    return named.index(culprit) if culprit in named else None


def _window(arrays: Any, key: str, services: tuple[str, ...], operations: tuple[str, ...]) -> TraceColumns:
    """The columns of one window; its arrays hold indices of names, and times in µs."""
    trace, parent, service, operation, start, duration = (_whole(arrays[f"{key}_{field}"]) for field in _FIELDS)
    if len({len(one) for one in (trace, parent, service, operation, start, duration)}) != 1:
        raise ValueError(f"the arrays of {key} differ in length")
    if len(parent) and (parent.max() >= len(parent) or min(service.min(), operation.min()) < 0):
        raise ValueError(f"an index of {key} is out of range")
    ids, numbers = np.unique(trace, return_inverse=True)
    pairs, place = np.unique(service * len(operations) + operation, return_inverse=True)
    return TraceColumns(
        trace=numbers,
        parent=np.maximum(parent, -1),
        place=place,
        process=service,
        start=np.clip(start, 0, _LAST_US) * 1_000,
        duration=np.clip(duration, 0, MAX_DURATION_NS // 1_000) * 1_000,
        error=np.zeros(len(trace), np.int64),
        trace_ids=tuple(ids.tolist()),
        places=tuple(
            Place(services[one // len(operations)], "", operations[one % len(operations)]) for one in pairs.tolist()
        ),
    )


def _whole(array: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError("arrays of whole numbers are expected")
    return array.astype(np.int64)


def main() -> None:
    """Print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, help="the folder of the sets")
    try:
        figures = cause(options.parse_args().data)
    except PeaError as error:
        sys.exit(str(error))
    for figure in figures:
        mark = {None: " ", True: "✓", False: "✗"}[figure.passed]
        print(f"{mark} {figure.what:60} {figure.value:8.4g} {figure.unit:12} of {figure.count}")


if __name__ == "__main__":
    main()
