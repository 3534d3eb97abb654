"""Labelled series to score a detector on, read from a folder the user names."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np

from pea.bench.baseline_score import Series
from pea.errors import ConfigError

WINDOWS = "combined_windows.json"
CLOUD = "ms_cloud_monitoring.npz"


def read_nab(folder: Path) -> list[Series]:
    """The Numenta benchmark's series with their windows, by name; ConfigError says what is missing."""
    windows_file = folder / WINDOWS
    if not windows_file.is_file():
        raise ConfigError(f"there is no {WINDOWS}", where=str(folder), fix="name a copy of NAB's data folder")
    windows = msgspec.json.decode(windows_file.read_bytes(), type=dict[str, list[tuple[str, str]]])
    return [_nab_series(folder, name, spans) for name, spans in sorted(windows.items())]


def read_cloud(file: Path) -> list[Series]:
    """Microsoft's cloud-monitoring series; each run of labelled points is a window."""
    with np.load(file, allow_pickle=False) as held:
        at, values, labels = held["t"].astype(np.float64), held["v"].astype(np.float64), held["label"] > 0
        bounds, names = held["off"], [str(name) for name in held["names"]]
    found = []
    for name, first, last in zip(names, bounds[:-1], bounds[1:], strict=True):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], labels[first:last], [False]]).astype(np.int8)))
        windows = tuple((int(left), int(right) - 1) for left, right in edges.reshape(-1, 2))
        found.append(Series(name, at[first:last], values[first:last], windows))
    return found


def _nab_series(folder: Path, name: str, spans: list[tuple[str, str]]) -> Series:
    path = folder / name
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            rows = [(_seconds(row["timestamp"]), float(row["value"])) for row in csv.DictReader(lines)]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"cannot be read: {error}", where=str(path), fix="columns: timestamp,value") from error
    at, values = np.array(rows, dtype=np.float64).reshape(-1, 2).T
    windows = []
    for start, end in spans:
        inside = np.flatnonzero((at >= _seconds(start)) & (at <= _seconds(end)))
        if len(inside):
            windows.append((int(inside[0]), int(inside[-1])))
    return Series(name, at.copy(), values.copy(), tuple(windows))


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
